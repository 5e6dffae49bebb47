"""Starts Home Assistant with MQTT discovery against a broker on this machine, and prints every change of a state as a line of JSON.

    home_assistant.py CONFIG_FOLDER BROKER_PORT

First each announcement that arrives is also checked by Home Assistant's own schemas, for the device and for every entity. Ends when its
input ends.
"""

import asyncio
import importlib
import json
import logging
import pathlib
import socket
import sys

from homeassistant import auth, bootstrap, config_entries, const, core, exceptions, loader, setup

ENTRY = {
    "created_at": "2026-01-01T00:00:00+00:00",
    "modified_at": "2026-01-01T00:00:00+00:00",
    "data": {"broker": "127.0.0.1"},
    "disabled_by": None,
    "discovery_keys": {},
    "domain": "mqtt",
    "entry_id": "0123456789abcdef0123456789abcdef",
    "minor_version": 1,
    "options": {"discovery": True, "discovery_prefix": "homeassistant"},
    "pref_disable_new_entities": False,
    "pref_disable_polling": False,
    "source": "user",
    "subentries": [],
    "title": "127.0.0.1",
    "unique_id": None,
    "version": 1,
}


def say(kind, **facts):
    print(json.dumps({"kind": kind, **facts}, default=str), flush=True)


class Warnings(logging.Handler):
    """What the integration complains about."""

    def emit(self, record):
        if record.levelno >= logging.WARNING and "mqtt" in record.name:
            say("warning", text=record.getMessage())


def check(payload):
    from homeassistant.components.mqtt.discovery import MQTTDiscoveryPayload
    from homeassistant.components.mqtt.schemas import DEVICE_DISCOVERY_SCHEMA

    DEVICE_DISCOVERY_SCHEMA(MQTTDiscoveryPayload(json.loads(payload)))
    whole = json.loads(payload)
    for key, component in whole["components"].items():
        platform = component["platform"]
        module = importlib.import_module(f"homeassistant.components.mqtt.{platform}")
        config = {name: value for name, value in component.items() if name != "platform"}
        module.DISCOVERY_SCHEMA({**config, "device": whole["device"]})
    return len(whole["components"])


async def look_at_cameras(hass):
    """Asks every camera for its picture once a second, as its card does."""
    from homeassistant.components import camera

    while True:
        await asyncio.sleep(1)
        for state in hass.states.async_all("camera"):
            try:
                image = await camera.async_get_image(hass, state.entity_id)
            except exceptions.HomeAssistantError:
                continue
            say("picture", entity=state.entity_id, bytes=len(image.content), jpeg=image.content[:2] == b"\xff\xd8")


async def main():
    folder, port = pathlib.Path(sys.argv[1]), int(sys.argv[2])
    (folder / ".storage").mkdir(parents=True, exist_ok=True)
    (folder / "configuration.yaml").write_text("")
    entry = {**ENTRY, "data": {**ENTRY["data"], "port": port}}
    (folder / ".storage" / "core.config_entries").write_text(
        json.dumps({"version": 1, "minor_version": 5, "key": "core.config_entries", "data": {"entries": [entry]}})
    )
    hass = core.HomeAssistant(str(folder))
    hass.config.skip_pip = True
    loader.async_setup(hass)
    hass.config_entries = config_entries.ConfigEntries(hass, {})
    await bootstrap.async_load_base_functionality(hass)
    hass.auth = await auth.auth_manager_from_config(hass, [], [])
    logging.getLogger().addHandler(Warnings())

    @core.callback
    def changed(event):
        state = event.data["new_state"]
        say(
            "state",
            entity=event.data["entity_id"],
            state=None if state is None else state.state,
            attributes={} if state is None else dict(state.attributes),
        )

    hass.bus.async_listen(const.EVENT_STATE_CHANGED, changed)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        http = {"server_host": "127.0.0.1", "server_port": probe.getsockname()[1]}
    for component in ("http", "mqtt"):
        if not await setup.async_setup_component(hass, component, {"http": http}):
            raise SystemExit(f"Home Assistant could not set up {component}")
    await hass.async_start()
    say("started", version=const.__version__)
    from homeassistant.components import mqtt

    @core.callback
    def announced(message):
        if message.payload == "":
            return
        try:
            say("valid", topic=message.topic, entities=check(message.payload))
        except Exception as problem:  # the sentence of the schema is the result
            say("invalid", topic=message.topic, text=str(problem))

    await mqtt.async_subscribe(hass, "homeassistant/device/+/config", announced)
    looking = asyncio.create_task(look_at_cameras(hass))
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    looking.cancel()
    await hass.async_stop(force=True)


asyncio.run(main())
