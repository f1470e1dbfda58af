"""Faults put into the code by hand, each with the test that must notice it: `make mutants`.

Each row of `MUTANTS` is a file, a text that occurs once in it, what takes its place, and the test
that must fail then. A row is tried in a copy of the repository, by a process that forks from one
that has imported what the package imports.
"""

import contextlib
import multiprocessing.pool
import os
import pathlib
import shutil
import sys
import tempfile

import pytest

ROOT = pathlib.Path(__file__).parent.parent
COPIED = ("keras_resnet", "launch", "tests", "docs", "examples", "benchmarks")
PROCESSES = 2

MUTANTS = (
    (
        "keras_resnet/evaluation/evaluator.py",
        "of_workers = positions.reshape(self._num_batches, len(found), -1).swapaxes(0, 1)",
        "of_workers = positions.reshape(len(found), -1)",
        "tests/evaluation/test_evaluator.py::test_what_workers_have_is_put_in_order",
    ),
    (
        "keras_resnet/runs/checkpoints.py",
        "            except OtherFormatError:\n                raise\n",
        "",
        "tests/runs/test_checkpoints.py::test_a_checkpoint_of_another_format_is_refused_and_not_"
        "called_damaged",
    ),
    (
        "keras_resnet/training/learner.py",
        "                variable.assign(weight)\n",
        "                pass\n",
        "tests/training/test_learner.py::test_averaged_weights_are_there_for_a_while",
    ),
    (
        "keras_resnet/training/loop.py",
        "state.best, state.evaluations_since_best = result, 0",
        "state.best = result",
        "tests/training/test_loop.py::test_a_training_that_gets_no_better_ends_when_its_patience_does",
    ),
    (
        "keras_resnet/training/early_statistics.py",
        "                variable.assign(value)\n",
        "                pass\n",
        "tests/training/test_early_statistics.py::test_a_young_network_has_the_statistics_of_an_epoch_"
        "and_then_its_own_again",
    ),
    (
        "keras_resnet/runs/figures.py",
        "return 1 - value if self.higher_is_better else value",
        "return 1 - value",
        "tests/runs/test_figures.py::test_what_is_better_has_the_lower_error",
    ),
    (
        "keras_resnet/tasks.py",
        '"warmup_error": 0.0, **values}',
        "**values}",
        "tests/test_tasks.py::test_one_of_format_1_is_read_too",
    ),
    (
        "keras_resnet/training/records.py",
        "            self._run.metrics.sync()\n",
        "",
        "tests/training/test_loop.py::test_the_metrics_that_a_checkpoint_counts_on_survive_a_power_cut",
    ),
    (
        "keras_resnet/training/loop.py",
        "min(events + [decision] if decision else events)",
        "min(events)",
        "tests/training/test_trainer.py::test_a_warm_up_until_the_error_is_low_survives_a_kill",
    ),
    (
        "keras_resnet/training/trainer.py",
        'state["rows"] = run.metrics.rewind(state["rows"])',
        'run.metrics.rewind(state["rows"])',
        "tests/training/test_trainer.py::test_lost_lines_of_metrics_are_not_counted",
    ),
    (
        "keras_resnet/runs/metrics.py",
        'content[: content.rfind(b"\\n") + 1]',
        'content[: content.rfind(b"\\n")]',
        "tests/runs/test_metrics.py::test_half_a_line_is_left_out",
    ),
    (
        "keras_resnet/images/augmentation.py",
        "deviation = tf.maximum(BLUR * draws[_SCALE], 0.1)",
        "deviation = BLUR * draws[_SCALE]",
        "tests/images/test_augmentation.py::test_the_least_blur_changes_nothing",
    ),
    (
        "keras_resnet/images/augmentation.py",
        "draws[_MIRROR] < 0.5",
        "draws[_MIRROR] < 0.45",
        "tests/images/test_augmentation.py::test_half_of_the_draws_mirror",
    ),
    (
        "keras_resnet/data/cache.py",
        "{status.st_size} ",
        "",
        "tests/data/test_cache.py::test_a_change_of_a_file_makes_it_another_array",
    ),
    (
        "keras_resnet/data/folders.py",
        "labels_of.get(as_seen(name))",
        "labels_of.get(name)",
        "tests/data/test_folders.py::test_names_that_look_the_same_are_of_one_class",
    ),
    (
        "keras_resnet/data/records.py",
        "_INDEX_BYTES = 2**18",
        "_INDEX_BYTES = 2**16",
        "tests/data/test_records.py::test_lengths_make_another_fingerprint_in_a_file_of_the_same_size",
    ),
    (
        "keras_resnet/classification/examples.py",
        "copy = index // images_per_copy",
        "copy = index % len(augmentation.kinds)",
        "tests/data/test_batches.py::test_second_copies_come_from_their_number_on",
    ),
    (
        "keras_resnet/evaluation/features.py",
        "[: len(source) - start]",
        "",
        "tests/evaluation/test_features.py::test_each_row_is_what_the_network_gives_for_its_picture_alone",
    ),
    (
        "keras_resnet/data/imagenet_archives.py",
        "while block := file.read(_READ_AT_ONCE)",
        "if block := file.read(_READ_AT_ONCE)",
        "tests/data/test_imagenet_archives.py::test_the_hash_is_that_of_the_whole_archive",
    ),
    (
        "keras_resnet/training/schedules.py",
        "max(1, train_steps - warmup_steps)",
        "train_steps - warmup_steps",
        "tests/training/test_schedules.py::test_a_warm_up_longer_than_the_training_rises_all_the_while",
    ),
    (
        "keras_resnet/training/schedules.py",
        'return cls(**{**config, "schedule": schedule})',
        "return cls(**config)",
        "tests/training/test_schedules.py::test_what_a_schedule_observed_stays_in_the_network_that_keras_saves",
    ),
    (
        "keras_resnet/training/schedules.py",
        "if error < self._lowest_error:",
        "if error <= self._lowest_error:",
        "tests/training/test_schedules.py::test_the_rate_falls_when_the_error_has_stopped_falling",
    ),
    (
        "keras_resnet/training/schedules.py",
        "tf.cast(step, tf.int64) >= tf",
        "tf.cast(step, tf.int64) > tf",
        "tests/training/test_schedules.py::test_the_papers_rate_falls_at_32k_and_48k",
    ),
    (
        "keras_resnet/training/schedules.py",
        '"error": self.error,\n            "state": self.state(),',
        '"error": self.error,',
        "tests/test_registered.py",
    ),
    (
        "keras_resnet/runs/checkpoints.py",
        "[*unfinished.iterdir(), unfinished]",
        "[*unfinished.iterdir()]",
        "tests/runs/test_checkpoints.py::test_a_checkpoint_survives_a_power_cut",
    ),
    (
        "keras_resnet/runs/checkpoints.py",
        "(self._directory, self._directory.parent)",
        "(self._directory,)",
        "tests/runs/test_checkpoints.py::test_a_checkpoint_survives_a_power_cut",
    ),
    (
        "keras_resnet/classification/scores.py",
        "allow_pickle=False",
        "allow_pickle=True",
        "tests/classification/test_scores.py::test_what_a_file_pickles_is_not_run",
    ),
    (
        "keras_resnet/classification/scores.py",
        "other.fingerprint == first.fingerprint",
        "True",
        "tests/classification/test_scores.py::test_members_must_have_seen_the_same_images",
    ),
    (
        "keras_resnet/serving/clients/retries.py",
        "pause = min(2 * pause, _LONGEST_PAUSE)",
        "pass",
        "tests/serving/clients/test_retries.py"
        "::test_pauses_grow_up_to_five_seconds_and_are_not_the_same_for_all",
    ),
    (
        "keras_resnet/serving/clients/grpc_client.py",
        "if code == grpc.StatusCode.UNAVAILABLE:",
        "if True:",
        "tests/serving/clients/test_over_sockets.py::test_a_server_that_refuses_is_not_asked_again",
    ),
    (
        "keras_resnet/serving/access.py",
        "if isinstance(address, Server) and not (address.is_encrypted or address.is_local):",
        "if False:",
        "tests/serving/test_access.py::test_no_token_leaves_this_machine_without_encryption",
    ),
    (
        "keras_resnet/serving/clients/grpc_client.py",
        "int(not server.is_local)",
        "1",
        "tests/serving/clients/test_over_sockets.py::test_on_this_machine_no_proxy_sees_the_token",
    ),
    (
        "keras_resnet/serving/clients/parts.py",
        "answers += ask(part)",
        "answers += ask(part[::-1])",
        "tests/serving/clients/test_parts.py::test_no_part_is_larger_than_its_bound",
    ),
    (
        "keras_resnet/serving/deployment/container.py",
        'self.directory.replace("$", "$$")',
        "self.directory",
        "tests/serving/deployment/test_compose.py::test_the_server_is_on_this_machine_and_may_not_"
        "write",
    ),
    (
        "keras_resnet/serving/server/versions.py",
        "not wanted or any(number in self._loaded for number in wanted)",
        "True",
        "tests/serving/server/test_versions.py::test_a_version_that_does_not_load_is_said_and_the_"
        "old_one_goes_on",
    ),
    (
        "keras_resnet/serving/export.py",
        "if lock.is_held:",
        "if True:",
        "tests/serving/test_export.py::test_without_locks_nothing_is_taken_for_a_leftover",
    ),
    (
        "keras_resnet/distribution/rendezvous.py",
        "        return complaint\n\n    def _missing",
        '        return ""\n\n    def _missing',
        "tests/distribution/test_rendezvous.py::test_a_difference_is_said_although_another_worker_never_comes",
    ),
    (
        "keras_resnet/distribution/places.py",
        "if who.token == own.token\n",
        "if who.host == own.host\n",
        "tests/distribution/test_places.py::test_swapped_indices_and_an_index_twice_are_named",
    ),
    (
        "keras_resnet/distribution/rendezvous.py",
        "answer == hello.worker",
        "isinstance(answer, Identity)",
        "tests/distribution/test_rendezvous.py::test_a_worker_that_was_started_anew_is_no_second_one",
    ),
    (
        "keras_resnet/distribution/rendezvous.py",
        "\nREMIND_SECONDS = 30",
        "\nREMIND_SECONDS = 60",
        "tests/distribution/test_rendezvous.py::test_who_is_missing_is_named_again_and_again_and_the_wait_ends",
    ),
    (
        "keras_resnet/distribution/messages.py",
        "_MAX_BYTES = 2**20",
        "_MAX_BYTES = 2**40",
        "tests/distribution/test_rendezvous.py::test_a_message_without_end_is_not_read_to_the_end",
    ),
    (
        "keras_resnet/distribution/slurm.py",
        "workers.index(own)",
        'int(os.environ["SLURM_PROCID"])',
        "tests/distribution/test_slurm.py::test_every_task_finds_itself_where_it_is",
    ),
    (
        "keras_resnet/distribution/watchdog.py",
        "limit + 10 * seconds",
        "limit + 5 * seconds",
        "tests/distribution/test_watchdog.py::test_what_takes_longer_may_so_for_the_first_time_only",
    ),
    (
        "keras_resnet/locks.py",
        "            return Lock(descriptor, is_held=False)",
        "            return None",
        "tests/test_locks.py::test_a_directory_has_no_lock_where_the_file_system_has_none",
    ),
    (
        "keras_resnet/files.py",
        "        flush_to_disk(unfinished)\n",
        "",
        "tests/test_files.py::test_a_file_is_on_the_disk_before_it_has_its_name",
    ),
    (
        "keras_resnet/weights/keras_files.py",
        " or dataset.is_virtual",
        "",
        "tests/weights/test_keras_files.py::test_links_out_of_the_weights_are_not_followed",
    ),
    (
        "keras_resnet/weights/local.py",
        "    file.bottleneck_stride = published.bottleneck_stride\n",
        "",
        "tests/weights/test_local.py::test_a_set_of_torchs_comes_with_all_that_its_file_does_not_say",
    ),
    (
        "keras_resnet/constructors.py",
        '"CifarResNet" if is_packaged else None',
        '"CifarResNet"',
        "tests/weights/test_packaged.py::test_other_networks_have_none",
    ),
    (
        "keras_resnet/weights/conversion.py",
        '        "activation": "relu",\n',
        "",
        "tests/weights/test_conversion.py::test_other_networks_are_not_written_for_keras_applications",
    ),
    (
        "keras_resnet/weights/download.py",
        ", timeout=TIMEOUT_SECONDS",
        "",
        "tests/weights/test_download.py::test_a_server_that_keeps_silent_is_given_up",
    ),
    (
        "keras_resnet/weights/names.py",
        "layer(\\d)\\.(0|[1-9]\\d{0,3})\\.",
        "layer(\\d)\\.(\\d+)\\.",
        "tests/weights/test_names.py::test_names_of_other_networks_are_refused",
    ),
    (
        "keras_resnet/networks/layer_tree.py",
        "gamma = block.norms[-1].gamma",
        "gamma = block.norms[1].gamma",
        "tests/networks/test_layer_tree.py::test_blocks_with_zero_last_gammas_are_identities",
    ),
    (
        "keras_resnet/networks/layer_tree.py",
        "and layer.name[:5] <= last:",
        "and layer.name[:5] < last:",
        "tests/networks/test_layer_tree.py::test_stages_freeze_up_to_one",
    ),
    (
        "keras_resnet/networks/layers.py",
        "moving * self.momentum + value * (1.0 - self.momentum)",
        "moving * 0.9 + value * 0.1",
        "tests/networks/test_layers.py::test_batch_normalization_trains_by_the_formula",
    ),
    (
        "keras_resnet/networks/resnet.py",
        "sum(blocks) > MAX_UNROLLED_BLOCKS",
        "sum(blocks) >= MAX_UNROLLED_BLOCKS",
        "tests/networks/test_stacks.py::test_only_many_blocks_are_stacked",
    ),
    (
        "keras_resnet/networks/analysis.py",
        "names += layer.names_of_blocks() if is_stack else [layer.name]",
        "names += [layer.name]",
        "tests/networks/test_analysis.py::test_costs_are_counted_from_the_graph",
    ),
    (
        "keras_resnet/paper/pictures.py",
        "sorted(found, reverse=True)",
        "sorted(found)",
        "tests/paper/test_pictures.py::test_numbers_of_layers_are_drawn_in_order_and_sorted",
    ),
    (
        "keras_resnet/paper/comparisons.py",
        "<= DEEPEST_CLAIM",
        "< DEEPEST_CLAIM",
        "tests/paper/test_comparisons.py::test_the_claim_of_degradation_holds_up_to_110_layers",
    ),
    (
        "keras_resnet/paper/outcomes.py",
        "max(pair[1]) >= min(pair[0])",
        "max(pair[1]) > min(pair[0])",
        "tests/paper/test_outcomes.py::test_a_difference_within_the_spread_is_no_verdict",
    ),
    (
        "keras_resnet/paper/gradients.py",
        "network(images, training=True)",
        "network(images, training=False)",
        "tests/paper/test_gradients.py::test_norms_are_how_fast_the_loss_changes",
    ),
    (
        "keras_resnet/networks/inference.py",
        "tf.cast(number == 1, tf.int32)",
        "tf.cast(number == 0, tf.int32)",
        "tests/networks/test_inference.py::test_onednn_never_sees_a_single_picture",
    ),
    (
        "keras_resnet/process/onednn.py",
        " and VARIABLE not in os.environ",
        "",
        "tests/process/test_onednn.py::test_it_is_turned_on_where_tensorflow_leaves_it_off",
    ),
    (
        "keras_resnet/networks/frozen_bn.py",
        "    if is_op_determinism_enabled():\n",
        "    if False:\n",
        "tests/test_gpu_kernels.py::test_no_operation_raises_under_determinism",
    ),
    (
        "keras_resnet/networks/layers.py",
        "        elif is_frozen:\n",
        "        elif False:\n",
        "tests/test_gpu_kernels.py::test_no_operation_raises_under_determinism",
    ),
    (
        "keras_resnet/distribution/strategy.py",
        "@functools.cache\n",
        "",
        "tests/distribution/test_strategy.py::test_trainings_of_one_process_do_not_take_each_others_"
        "messages",
    ),
    (
        "keras_resnet/distribution/strategy.py",
        "        return tf.distribute.OneDeviceStrategy(devices[0])\n",
        "        return tf.distribute.get_strategy()\n",
        "tests/distribution/test_strategy.py::test_batches_wait_on_the_devices_that_compute_them",
    ),
    (
        "keras_resnet/training/steps.py",
        "tf.device(strategy.extended.worker_devices[0] if replicas > 1 else None)",
        "tf.device(None)",
        "tests/training/test_steps.py::test_replicas_tell_each_other_as_little_as_can_be",
    ),
    (
        "keras_resnet/training/state.py",
        "        if times is not None:\n            self.timed_steps += len(sums)\n",
        "        self.timed_steps += len(sums)\n        if times is not None:\n",
        "tests/training/test_state.py::test_steps_whose_times_are_not_to_count_are_steps",
    ),
    (
        "keras_resnet/training/loop.py",
        "        self._has_noted_input = True\n",
        "",
        "tests/training/test_loop.py::test_an_input_that_is_the_bottleneck_is_said_once",
    ),
    (
        "keras_resnet/runs/environment.py",
        '"xla": xla,',
        '"xla": None,',
        "tests/training/test_trainer.py::test_a_run_remembers_whether_it_had_xla",
    ),
    (
        "keras_resnet/training/compilation.py",
        "if config.synchronized_batch_norm and strategy.num_replicas_in_sync > 1:",
        "if config.synchronized_batch_norm:",
        "tests/training/test_compilation.py::test_what_xla_cannot_compile_goes_on_without_and_says_so",
    ),
    (
        "keras_resnet/training/shortage.py",
        "min(fitting, half)",
        "fitting",
        "tests/training/test_shortage.py::test_it_is_never_more_than_half_of_what_did_not_fit",
    ),
    (
        "keras_resnet/networks/analysis.py",
        "if tensor.op in forward and tensor.shape.rank",
        "if tensor.shape.rank",
        "tests/networks/test_analysis.py::test_the_gradients_need_what_arithmetic_says",
    ),
    (
        "keras_resnet/serving/batches/pictures.py",
        "first = last.record + shard.number",
        "first = last.record + 1",
        "tests/serving/batches/test_pictures.py::test_a_share_goes_on_behind_any_of_its_pictures",
    ),
    (
        "keras_resnet/serving/batches/manifest.py",
        "if begun.get(name) != about.get(name)]",
        "if name not in begun]",
        "tests/serving/batches/test_manifest.py::test_what_tables_are_of_is_written_once_and_compared_"
        "then",
    ),
    (
        "keras_resnet/serving/batches/pictures.py",
        "first = (shard.index - place) % shard.number",
        "first = shard.index",
        "tests/serving/batches/test_pictures.py"
        "::test_files_of_one_picture_are_of_all_shards_in_turn",
    ),
    (
        "keras_resnet/serving/batches/parts.py",
        "        files.flush_to_disk(self._directory)\n",
        "",
        "tests/serving/batches/test_parts.py::test_a_part_survives_a_power_cut",
    ),
    (
        "keras_resnet/serving/batches/parts.py",
        'rf"\\.{re.escape(self._name)}-.*"',
        'r"\\.predictions-.*"',
        "tests/serving/batches/test_parts.py"
        "::test_what_a_killed_process_left_is_removed_but_not_what_another_shard_writes",
    ),
    (
        "keras_resnet/serving/batches/predictions.py",
        "pictures_of_shard(listing, shard, parts.last)",
        "pictures_of_shard(listing, shard)",
        "tests/serving/batches/test_predictions.py"
        "::test_the_order_in_which_pictures_are_named_is_of_no_account",
    ),
    (
        "keras_resnet/serving/batches/tables.py",
        "    if any(len(row) != len(header) for row in rows):\n",
        "    if False:\n",
        "tests/serving/batches/test_tables.py::test_a_damaged_table_is_named",
    ),
    (
        "keras_resnet/serving/addresses.py",
        "is_loopback",
        "is_private",
        "tests/serving/test_addresses.py::test_what_an_address_says_of_the_connection",
    ),
    (
        "keras_resnet/serving/clients/rest_client.py",
        "auth=functools.partial(_with_headers, headers) if headers else None",
        "headers=headers",
        "tests/serving/clients/test_over_sockets.py"
        "::test_what_is_given_is_not_replaced_by_what_the_environment_has",
    ),
    (
        "keras_resnet/serving/clients/rest_client.py",
        " and not isinstance(origin, _BROKEN_OFF)",
        "",
        "tests/serving/clients/test_rest_client.py"
        "::test_a_handshake_that_breaks_off_may_come_about_later",
    ),
    (
        "keras_resnet/serving/clients/bounded_http.py",
        "            allow_redirects=False,\n",
        "",
        "tests/serving/clients/test_rest_client.py::test_a_redirection_is_not_followed",
    ),
    (
        "keras_resnet/serving/clients/grpc_client.py",
        '        "grpc.use_local_subchannel_pool": 1,\n',
        "",
        "tests/serving/clients/test_grpc_client.py::test_two_clients_share_no_connection",
    ),
    (
        "keras_resnet/serving/clients/grpc_client.py",
        "harmless(str(error.details()))",
        "str(error.details())",
        "tests/serving/clients/test_grpc_client.py"
        "::test_what_a_server_says_cannot_control_a_terminal",
    ),
    (
        "keras_resnet/serving/clients/retries.py",
        "time.sleep(min(chosen, deadline - now))",
        "time.sleep(chosen)",
        "tests/serving/clients/test_retries.py::test_the_last_attempt_is_at_the_end_of_the_time",
    ),
    (
        "keras_resnet/serving/clients/parts.py",
        "largest if largest < len(part) else len(part) // 2",
        "largest",
        "tests/serving/clients/test_parts.py"
        "::test_where_a_server_does_not_say_what_it_takes_halves_are_tried",
    ),
    (
        "keras_resnet/serving/server/listening.py",
        '        "grpc.so_reuseport": 0,\n',
        "",
        "tests/serving/server/test_listening.py::test_two_servers_do_not_share_a_port",
    ),
    (
        "keras_resnet/serving/server/loaded.py",
        "len(value) > self._max_batch_size",
        "len(value) >= self._max_batch_size",
        "tests/serving/server/test_loaded.py::test_the_largest_batch_is_answered",
    ),
    (
        "keras_resnet/serving/server/versions.py",
        "self.served.labels if spec.name == self.served.name else {}",
        "self.served.labels",
        "tests/serving/server/test_versions.py::test_what_is_not_there_is_refused",
    ),
    (
        "keras_resnet/serving/deployment/kubernetes.py",
        '        "runAsNonRoot": True,\n',
        "",
        "tests/serving/deployment/test_kubernetes.py"
        "::test_it_has_the_memory_of_the_export_and_no_rights",
    ),
)

# Decided by whoever imports TensorFlow first: as for the tests.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(
    ["tensorflow", "keras", "tensorflow_datasets", "tensorflow_serving.apis.predict_pb2", "pytest"]
)


def verdict(mutant):
    """What is wrong with a row, in words; None where its test notices the fault."""
    file, old, new, test = mutant
    text = (ROOT / file).read_text()
    if text.count(old) != 1:
        return f"the text occurs {text.count(old)} times"
    with tempfile.TemporaryDirectory() as name:
        copy = pathlib.Path(name)
        for part in COPIED:
            shutil.copytree(ROOT / part, copy / part)
        for path in ROOT.glob("*.*"):
            if path.is_file():
                shutil.copy(path, copy)
        (copy / file).write_text(text.replace(old, new))
        process = _FORKS.Process(target=_run_test, args=(copy, test))
        process.start()
        process.join()
        if process.exitcode == pytest.ExitCode.TESTS_FAILED:
            return None
        if process.exitcode == pytest.ExitCode.OK:
            return "the test passes"
        return f"the test does not run: {(copy / 'output').read_text()[-2000:]}"


def _run_test(copy, test):
    os.chdir(copy)
    sys.path[:0] = [str(copy)]
    with open("output", "w") as output, contextlib.redirect_stdout(output):
        status = pytest.main(["-x", "-p", "no:cacheprovider", "-p", "no:xdist", test])
    # At once: libraries that fork have been seen to crash as they end.
    os._exit(status)


def main():
    survivors = 0
    with multiprocessing.pool.ThreadPool(PROCESSES) as pool:
        for mutant, wrong in zip(MUTANTS, pool.imap(verdict, MUTANTS), strict=True):
            file, old, new, test = mutant
            survivors += wrong is not None
            print(f"{file}: {old!r} -> {new!r}, {test}: {wrong or 'noticed'}", flush=True)
    print(f"{len(MUTANTS) - survivors} of {len(MUTANTS)} faults are noticed.")
    sys.exit(survivors > 0)


if __name__ == "__main__":
    main()
