"""What each kind of provider receives for each field of a request: sent, refused or left out by name."""

import pytest
from unit.providers.mapping import BASE, KINDS, MODES, Mode, Row, fields_of, outcome, text_of, usual
from unit.providers.mapping_messages import MESSAGES
from unit.providers.mapping_options import OPTIONS

from tokenwire.v1 import chat_pb2 as pb
from tokenwire.v1.errors_pb2 import ErrorReason as Reason
from tokenwire_server.rpc.validate import validate
from tokenwire_server.settings import Server
from tokenwire_server.unsupported import Unsupported

TABLE = [*MESSAGES, *OPTIONS]

every_kind = pytest.mark.parametrize("kind", KINDS)
every_row = pytest.mark.parametrize("entry", TABLE, ids=lambda entry: entry.name)
every_mode = pytest.mark.parametrize("mode", MODES, ids=["reject", "drop", "drop_sampling"])


def test_the_table_has_a_row_for_every_field_of_a_request() -> None:
    rows = {entry.field for entry in TABLE}
    assert rows == set(fields_of(pb.ChatRequest.DESCRIPTOR))


def test_no_two_rows_are_the_same() -> None:
    assert len({entry.name for entry in TABLE}) == len(TABLE)


@every_row
def test_the_table_holds_requests_that_the_server_accepts(entry: Row) -> None:
    unsupported = Unsupported()
    validate(entry.request, Server(), unsupported)
    assert unsupported.warnings == []


@every_mode
@every_kind
@every_row
async def test_a_field_is_sent_or_refused_or_left_out_by_name(entry: Row, kind: str, mode: Mode) -> None:
    cell = entry.cells[kind]
    found = await outcome(entry.request, mode, usual(kind))
    if mode in cell.refusing:
        assert found.body is None
        assert found.refusal is not None
        assert found.refusal.reason == Reason.UNSUPPORTED_PARAMETER
        assert [violation.field for violation in found.refusal.violations] == [cell.path]
    else:
        assert text_of(found.body) == text_of({**BASE, **cell.fields})
        assert found.warnings == ([(cell.path, cell.code)] if cell.path else [])
