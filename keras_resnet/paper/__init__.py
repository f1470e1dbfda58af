"""What the paper claims, computed: a module for each subcommand of launch/paper.py."""
