"""The service around the engine: MQTT, history, ledger, API, console, command line."""
