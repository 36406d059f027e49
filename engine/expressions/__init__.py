"""The expression language of conditions and templates: Jinja's expressions on JSON, strict, bounded, without calls."""

from holdpoint.engine.expressions.evaluate import Path
from holdpoint.engine.expressions.parse import ExpressionSyntaxError
from holdpoint.engine.expressions.scope import ExpressionError, Scope
from holdpoint.engine.expressions.template import (
    Expression,
    Template,
    Value,
    parse_expression,
    parse_template,
    parse_value,
)

__all__ = [
    "Expression",
    "ExpressionError",
    "ExpressionSyntaxError",
    "Path",
    "Scope",
    "Template",
    "Value",
    "parse_expression",
    "parse_template",
    "parse_value",
]
