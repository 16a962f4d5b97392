"""The SAM macro, offline: the official aws-sam-translator turns a SAM template into CloudFormation."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

from shoal_local.names import ACCOUNT, PARTITION, REGION

MACRO = "AWS::Serverless-2016-10-31"


def _policies() -> dict[str, str]:
    """AWS's managed policies by name: the translator's own copy, in place of a question to IAM."""
    from samtranslator.internal.managed_policies import get_bundled_managed_policy_map

    return dict(get_bundled_managed_policy_map(PARTITION) or {})


def _translate(template: dict[str, Any], parameters: dict[str, Any]) -> dict[str, Any]:
    """What the translator's own ``transform`` does, with a session that knows its region."""
    from boto3.session import Session
    from samtranslator.parser.parser import Parser
    from samtranslator.translator.translator import Translator
    from samtranslator.utils.py27hash_fix import (
        to_py27_compatible_template,
        undo_mark_unicode_str_in_template,
    )

    to_py27_compatible_template(template, parameters)
    translator = Translator(None, Parser(), boto_session=Session(region_name=REGION))
    translated = translator.translate(
        template, parameter_values=parameters, passthrough_metadata=True, get_managed_policy_map=_policies
    )
    plain: dict[str, Any] = undo_mark_unicode_str_in_template(translated)
    return plain


def load_template(path: Path) -> dict[str, Any]:
    """Read a template, JSON or YAML with ``!Ref`` and its kin."""
    return parse_template(path.read_text(encoding="utf-8"))


def parse_template(text: str) -> dict[str, Any]:
    """JSON by its own parser: the YAML one takes a second for a whole stack."""
    if text.lstrip().startswith("{"):
        document: dict[str, Any] = json.loads(text)
        return document
    from samtranslator.yaml_helper import yaml_parse

    parsed: dict[str, Any] = yaml_parse(text)
    return parsed


def is_sam(template: dict[str, Any]) -> bool:
    transform = template.get("Transform")
    return transform == MACRO or (isinstance(transform, list) and MACRO in transform)


def transform(template: dict[str, Any], parameters: dict[str, Any]) -> dict[str, Any]:
    """Plain CloudFormation; a template without the macro is given back as it is.

    Raises:
        samtranslator.model.exceptions.InvalidDocumentException: the template is no valid SAM.
    """
    if not is_sam(template):
        return template
    defaults = {k: v["Default"] for k, v in template.get("Parameters", {}).items() if "Default" in v}
    pseudo = {"AWS::Region": REGION, "AWS::AccountId": ACCOUNT, "AWS::Partition": PARTITION}
    given = {k: v for k, v in parameters.items() if v is not None}
    translated = _translate(copy.deepcopy(template), {**defaults, **given, **pseudo})
    translated.pop("Transform", None)
    for resource in translated["Resources"].values():
        # moto adds the key to its stored copy later and then takes that for a change
        resource.setdefault("Properties", {})
    return translated
