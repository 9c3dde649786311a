"""What docs/parameters.md says of roles and of one parameter is so."""

import json
import re
from dataclasses import fields
from pathlib import Path

import pytest

from inglenook.workflows.parameter import GROUPS, Parameter

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("page", ["parameters.md", "zh/parameters.md"])
def test_the_page_tells_every_role_and_every_field(page):
    text = (DOCS / page).read_text()
    rows = re.findall(r"^\| (`.*?) \|", text, re.MULTILINE)
    assert set(GROUPS) <= {role for row in rows for role in re.findall(r"`(\w+)`", row)}
    example = json.loads(re.search(r'```json\n(\{"key".*?)```', text, re.DOTALL)[1])
    assert set(example) == {field.name for field in fields(Parameter)}
