"""``placer schema``."""

from __future__ import annotations

import click

from placer.cli.common import json_option, print_json

_FORMATS = ["instance", "model", "device-type", "radio", "link", "runtime", "exits", "exit-policy", "plan"]


@click.command("schema")
@click.argument("format_", metavar="FORMAT", type=click.Choice(_FORMATS))
@json_option
def command(format_: str, as_json: bool) -> int:
    """Print the JSON schema of FORMAT."""
    from pydantic import BaseModel

    from placer.exits.policy import PolicyFile
    from placer.instance.descriptions import DescribedSchema
    from placer.instance.device import DeviceType
    from placer.instance.exit_profile import ExitProfile
    from placer.instance.model import Model
    from placer.instance.network import LinkType, RadioType
    from placer.instance.runtime import Runtime
    from placer.instance.schema import InstanceFile
    from placer.plan.plan import Plan

    models: dict[str, type[BaseModel]] = {
        "instance": InstanceFile,
        "model": Model,
        "device-type": DeviceType,
        "radio": RadioType,
        "link": LinkType,
        "runtime": Runtime,
        "exits": ExitProfile,
        "exit-policy": PolicyFile,
        "plan": Plan,
    }
    print_json(models[format_].model_json_schema(schema_generator=DescribedSchema))
    return 0
