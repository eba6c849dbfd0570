"""Rows as people send them: payloads shaped like those of real HR systems, column by column."""

import json
from datetime import UTC, date, datetime, timedelta

import pytest
from fivetran_connector_sdk_core.renaming import redshift_safe

from fake_awardco import NOON, text
from harness import utc

ADA = {
    "employeeId": "00042",
    "firstName": "Ada",
    "lastName": "Lovelace",
    "email": "ada@example.com",
    "currencyCode": "GBP",
    "balance": 12.5,
    "updated_at": "2026-02-01T10:00:00Z",
    "created_at": "2020-05-17T08:30:00Z",
}
LANDED = {
    "employee_id": "00042",
    "first_name": "Ada",
    "last_name": "Lovelace",
    "email": "ada@example.com",
    "currency_code": "GBP",
    "balance": 12.5,
    "updated_at": utc("2026-02-01T10:00:00Z"),
    "created_at": utc("2020-05-17T08:30:00Z"),
}


@pytest.fixture
def land(project, api):
    """The rows of these people, without what is null; JSON is parsed."""

    def land(*people, state=None, **configuration):
        api.users, api.order = list(people), "storage"
        outcome = project.sync(api, state=state, **configuration)
        assert not outcome.failed, outcome.log
        assert len(outcome.rows) >= len({person["employeeId"] for person in people})
        of_json = [name for name, kind in outcome.columns.items() if kind == "JSON"]
        for row in outcome.rows.values():
            row.update({name: json.loads(row[name]) for name in of_json if row[name]})
        land.log, land.cursor = outcome.log, outcome.cursor
        return {
            key: {name: value for name, value in row.items() if value is not None}
            for key, row in outcome.rows.items()
        }

    return land


def landed(sent: dict, **changed) -> dict:
    """The row of somebody like Ada, whose other fields land as they are sent, but for these."""
    others = {redshift_safe(name): value for name, value in sent.items() if name not in ADA}
    return {**LANDED, **others, **changed}


def test_a_person_of_the_published_example(land):
    assert land(ADA) == {"00042": LANDED}


def test_a_small_hr_system_with_custom_fields_groups_and_approvers(land):
    """Labels that people typed become field names; groups are nested; approvers are a list."""
    row = land(
        {
            **ADA,
            "jobTitle": "Ingénieure",
            "T-Shirt Size (US)": "M",
            "401k": True,
            "Employee #": 42,
            "Vacation Days": 24.5,
            "отдел": "Финансы",
            "部署": "経理",
            "Straße": "Königsallee 1",
            "groups": {"region": {"name": "EMEA", "sites": ["Köln", "Kraków"]}},
            "approvers": [{"employeeId": 7, "level": 1}, {"employeeId": "00008", "level": 2}],
            "tags": [],
        }
    )["00042"]
    assert row == {
        **LANDED,
        "job_title": "Ingénieure",
        "t_shirt_size_us_": "M",
        "_401_k": True,
        "employee_": 42,
        "vacation_days": 24.5,
        "groups": {"region": {"name": "EMEA", "sites": ["Köln", "Kraków"]}},
        "approvers": [{"employeeId": 7, "level": 1}, {"employeeId": "00008", "level": 2}],
        "tags": [],
        "other_fields": {"отдел": "Финансы", "部署": "経理", "Straße": "Königsallee 1"},
    }


def test_a_scim_directory_with_urns_for_names(land):
    enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
    sent = {
        **ADA,
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", enterprise],
        "userName": "bjensen@example.com",
        "name": {"formatted": "Ms. Barbara J Jensen, III", "familyName": "Jensen"},
        "emails": [{"value": "bjensen@example.com", "type": "work", "primary": True}],
        "active": True,
        "meta": {"resourceType": "User", "version": 'W/"a330bc54f0671c9"'},
        enterprise: {"costCenter": "4130", "manager": {"value": "26118915"}},
        "updated_at": "2026-01-13T04:42:34.1234567Z",  # .NET, of which SCIM servers are made
    }
    updated_at = utc("2026-01-13T04:42:34.123456Z")
    assert land(sent)["00042"] == landed(sent, updated_at=updated_at)


def test_a_spreadsheet_upload_with_us_dates_phone_numbers_and_leading_zeros(land):
    sent = {
        **ADA,
        "dateOfHire": "03/04/2019",
        "birthday": "12-25",
        "phone": "+49 30 0123456",
        "mobile": "+4915112345678",
        "extension": "0042",
        "zip": "01067",
        "salary": "$85,000.00",
        "manager": '=HYPERLINK("x")',
        "notes": 'likes tea,\r\nand "quotes"\t; déjà vu',
        "ssn": "000-12-3456",
        "start": "9:30",
    }
    assert land(sent)["00042"] == landed(sent)


def test_a_payroll_export_with_amounts_and_codes(land):
    sent = {
        **ADA,
        "balance": "1250.00",
        "costCenter": "4100",
        "hours": 37.5,
        "bonus": 0.1,
        "accruedCents": 9007199254740993,
        "badge": 18446744073709551615,
        "grade": "7A",
        "plan": "1e5",
        "taxId": "DE0123456789",
        "isExempt": False,
        "lastPaid": "2026-01-31",
        "paidAt": "2026-01-31T23:59:59.999999999Z",
    }
    assert land(sent)["00042"] == landed(
        sent,
        balance=1250.0,
        cost_center=4100,
        badge="18446744073709551615",
        last_paid=date(2026, 1, 31),
        paid_at=datetime(2026, 1, 31, 23, 59, 59, 999999, tzinfo=UTC),
    )


def test_times_as_systems_write_them(land):
    """What can be read is the instant; what cannot is null, and kept as it came."""
    readable = {
        "Java, with nine digits": ("2026-02-01T10:00:00.123456789Z", "10:00:00.123456Z"),
        "Java, on the minute": ("2026-02-01T10:00Z", "10:00:00Z"),
        "Rails": ("2026-02-01 10:00:00 UTC", "10:00:00Z"),
        "Ruby": ("2026-02-01 12:00:00 +0200", "10:00:00Z"),
        "PostgreSQL": ("2026-02-01 10:00:00.5+00", "10:00:00.500000Z"),
        "SQL Server": ("2026-02-01 12:00:00.0000000 +02:00", "10:00:00Z"),
        "MySQL": ("2026-02-01 10:00:00", "10:00:00Z"),
        "Salesforce": ("2026-02-01T10:00:00.000+0000", "10:00:00Z"),
        "a date": ("2026-02-01", "00:00:00Z"),
    }
    unreadable = {
        "a serializer of .NET": "/Date(1767225600000)/",
        "MySQL, never": "0000-00-00 00:00:00",
        "MySQL, no date": "0000-00-00",
        "seconds of the epoch": 1767225600,
        "milliseconds of the epoch": "1767225600000",
        "LDAP": "20230808120000Z",
        "LDAP, with tenths": "20230808120000.0Z",
        "Windows ticks": 133471584000000000,
        "the United States": "02/01/2026 10:00 AM",
        "Germany": "01.02.2026",
        "an RSS feed": "Sun, 01 Feb 2026 10:00:00 GMT",
        "XML Schema, a date with a zone": "2023-08-08-07:00",
        "a name of a month": "01-FEB-26",
    }
    written = {**{name: value for name, (value, _) in readable.items()}, **unreadable}
    rows = land(*({"employeeId": name, "updated_at": value} for name, value in written.items()))
    expected = {
        name: {"employee_id": name, "updated_at": utc(f"2026-02-01T{instant}")}
        for name, (_, instant) in readable.items()
    }
    expected |= {
        name: {"employee_id": name, "other_fields": {"updated_at": value}}
        for name, value in unreadable.items()
    }
    assert rows == expected
    assert "13 unreadable values stored as null (updated_at: 13)" in land.log
    assert land.cursor == readable["PostgreSQL"][0]


def test_times_as_systems_write_them_in_fields_of_their_own(land):
    sent = {
        **ADA,
        "hiredAt": "2024-05-06T07:08Z",
        "terminatedAt": "9999-12-31T00:00:00Z",
        "neverAt": "0001-01-01T00:00:00",
        "droppedAt": "0000-00-00 00:00:00",
        "whenCreated": "20230808120000.0Z",
        "lastLogon": 133471584000000000,
        "seenAt": "/Date(1767225600000)/",
        "syncedAt": 1767225600,
    }
    assert land(sent)["00042"] == landed(
        sent,
        hired_at=utc("2024-05-06T07:08:00Z"),
        terminated_at=utc("9999-12-31T00:00:00Z"),
        never_at=datetime(1, 1, 1),
    )


def test_archived_and_returning_users_keep_one_row_each(land, api):
    """Who comes back has the old number. The newer row counts, wherever it stands."""
    left = {**ADA, "status": "archived", "terminationDate": "2025-06-30"}
    back = {**ADA, "status": "active", "terminationDate": None, "rehireDate": "2026-02-16"}
    back["updated_at"] = "2026-02-16T09:00:00Z"
    for both in ((left, back), (back, left)):
        row = land(*both, state={})["00042"]
        assert (row["status"], row["updated_at"]) == ("active", utc("2026-02-16T09:00:00Z"))
        assert row["rehire_date"] == date(2026, 2, 16) and "termination_date" not in row
    again = {**back, "status": "archived", "updated_at": text(NOON - timedelta(hours=5))}
    api.clock = NOON
    assert land(again)["00042"]["status"] == "archived"


def test_a_field_that_a_user_no_longer_has_becomes_null(land):
    """An upsert replaces the row: a nickname that was removed must not stay."""
    assert land({**ADA, "nickname": "Countess"})["00042"]["nickname"] == "Countess"
    row = land({**ADA, "nickname": None, "email": None})["00042"]
    assert "nickname" not in row and "email" not in row
