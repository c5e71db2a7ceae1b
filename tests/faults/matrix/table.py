"""The matrix as docs/reliability.md shows it: its rows, and the faults that have tests of their own."""

from collections.abc import Iterator, Sequence
from typing import Final

from faults.matrix.rows import ALL, APIS, ROWS, Row

ELSEWHERE: Final = (
    ("U15", "an outage of 50 calls", "retries ≤ 10 + 10 %; then CIRCUIT_OPEN; found again within 5 s",
     "faults/matrix/test_outages.py::test_an_outage_is_not_made_worse_and_its_end_is_noticed"),
    ("U16", "401 for one key of two", "OK with the other one, in 2 upstream calls",
     "rpc/test_aliases.py::test_another_key_of_the_provider_comes_before_another_target"),
    ("U18", "name server silent", "other providers' calls go on",
     "faults/matrix/test_outages.py::test_a_silent_name_server_holds_up_nobody_else"),
    ("U22", "1,000 streams in turn", "one connection",
     "faults/matrix/test_outages.py::test_streams_in_turn_share_a_connection"),
    ("U23", "400 cancels at any moment", "no connection is lost",
     "faults/matrix/test_outages.py::test_cancels_at_any_moment_lose_no_connection"),
    ("C1", "the caller leaves, in every phase, also within a write", "the provider's connection is closed",
     "faults/test_leaving.py::test_a_cancel_closes_the_providers_connection"),
    ("C2", "the caller's deadline, in every phase", "the provider's connection is closed",
     "faults/test_leaving.py::test_a_deadline_closes_the_providers_connection"),
    ("C3", "the caller does not read", "SLOW_READER",
     "faults/test_slow_reader.py::test_a_stream_that_is_not_read_ends_by_itself"),
    ("C4", "the caller vanishes without a word", "CANCELLED, once pings are not answered",
     "faults/matrix/test_peers.py::test_a_caller_that_vanishes_frees_its_call"),
    ("C5", "a request over 32 MiB, over 64 MiB", "REQUEST_TOO_LARGE; RESOURCE_EXHAUSTED by gRPC itself",
     "rpc/test_bytes.py::test_above_64_mib_grpc_itself_refuses"),
    ("C6", "bytes that are no message", "INVALID_REQUEST without their text",
     "rpc/test_bytes.py::test_no_bytes_are_the_gateways_fault"),
    ("C7", "values that are not allowed", "INVALID_REQUEST with the field's path",
     "rpc/test_refusals.py::test_it_is_refused_by_its_path"),
    ("C8", "metadata of 9, 15 and 20 KiB", "OK, OK, RESOURCE_EXHAUSTED",
     "faults/test_options.py::test_metadata_have_one_limit"),
    ("C8", "details of many errors", "message and details below 3 KB",
     "unit/rpc/test_errors.py::test_message_and_details_stay_below_3_kb"),
    ("C9", "pings each second", "that connection ends",
     "faults/test_options.py::test_a_ping_each_second_is_too_often"),
    ("N1", "200 connections where 50 may be", "the others are served",
     "faults/test_floods.py::test_a_flood_of_connections"),
    ("N1", "400 connections that say little", "the others are served, nothing is left",
     "faults/matrix/test_peers.py::test_many_connections_that_say_little"),
    ("N2", "no open files left", "no crash, no spin; served again once there are some",
     "faults/test_floods.py::test_a_server_without_files_waits_for_some"),
    ("N3", "a connection that never begins", "closed after 20 s",
     "faults/matrix/test_peers.py::test_a_connection_that_never_begins_is_closed"),
    ("N4", "2,000 calls that are reset at once", "none is begun",
     "faults/test_floods.py::test_streams_that_are_reset_at_once"),
    ("N4", "whole calls that are reset at once", "cancelled down to the provider",
     "faults/matrix/test_peers.py::test_whole_calls_that_are_reset_at_once_end"),
    ("N4", "CONTINUATION without end, headers that unpack to 46 MB, frames over the limit",
     "the others are served, nothing is left",
     "faults/matrix/test_peers.py::test_a_peer_that_goes_too_far_harms_nobody_else"),
    ("N5", "the age of a connection", "ends no call",
     "faults/test_options.py::test_an_old_connection_is_ended_once_its_stream_is"),
    ("P1", "SIGTERM and SIGINT", "calls in flight end well",
     "faults/test_stopping.py::test_a_stream_in_flight_ends_well"),
    ("P2", "SIGKILL of one worker process", "the others' calls go on, no count falls, another one starts",
     "faults/test_workers.py::test_a_worker_that_is_killed_comes_back"),
    ("P3", "a second server on the port", "refused",
     "faults/test_starting.py::test_a_second_server_on_its_port_is_refused"),
    ("P4", "the wall clock steps by an hour", "no call ends",
     "faults/matrix/test_process.py::test_a_step_of_the_wall_clock_ends_no_call"),
    ("P9", "the event loop stalls for 2 s", "metrics answer meanwhile, health and calls after it",
     "faults/matrix/test_process.py::test_a_stalled_event_loop_is_seen_and_gone_afterwards"),
)  # fmt: skip
"""Fault, what is injected, what must come of it, and the test that says so."""


def table() -> str:
    """Both, as Markdown."""
    return "".join((*_rows(), "\n", *_elsewhere()))


def _rows() -> Iterator[str]:
    yield "| | fault | RPCs | APIs | outcome | upstream calls |\n|---|---|---|---|---|---|\n"
    for row in ROWS:
        outcome = row.outcome.replace(" ", ", ")
        yield f"| {row.id} | {row.fault} | {_rpcs(row)} | {_apis(row)} | {outcome} | {_calls(row)} |\n"


def _rpcs(row: Row) -> str:
    return "all" if row.rpcs == ALL else ", ".join(row.rpcs)


def _apis(row: Row) -> str:
    able: Sequence[str] = [api.name for api in row.apis if row.rpcs != ("Embed",) or api.embeds]
    return "all" if len(able) == len(APIS) else ", ".join(able)


def _calls(row: Row) -> str:
    return f"{row.calls} a batch" if row.batches > 1 else str(row.calls)


def _elsewhere() -> Iterator[str]:
    yield "| | fault | outcome | test |\n|---|---|---|---|\n"
    for id_, fault, outcome, test in ELSEWHERE:
        file, _, name = test.partition("::")
        yield f"| {id_} | {fault} | {outcome} | [{name.removeprefix('test_')}](../tests/{file}) |\n"
