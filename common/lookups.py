"""Filter by many values in one parameter: a list of thousands of placeholders costs more than the rows it finds."""

from __future__ import annotations

import json
from typing import Any

from django.db.models import Field, Lookup


@Field.register_lookup
class Among(Lookup):
    """``__among``: one of these values, however many they are; numbers and texts. An index serves it as it serves equality."""

    lookup_name = "among"
    prepare_rhs = False

    def get_db_prep_lookup(self, value: Any, connection: Any) -> Any:
        """The values as one parameter."""
        values = list(value)
        return "%s", [values if connection.vendor == "postgresql" else json.dumps(values)]

    def as_sql(self, compiler: Any, connection: Any) -> Any:
        left, left_params = self.process_lhs(compiler, connection)
        right, right_params = self.process_rhs(compiler, connection)
        if connection.vendor == "postgresql":
            # Without a length, which would cut off what is compared.
            kind = str(self.lhs.output_field.rel_db_type(connection)).partition("(")[0]
            return f"{left} = ANY({right}::{kind}[])", (*left_params, *right_params)
        return f"{left} IN (SELECT value FROM json_each({right}))", (*left_params, *right_params)  # noqa: S608 (compiled)
