"""Several devices and machines: who they are, how they meet, how they miss one."""
