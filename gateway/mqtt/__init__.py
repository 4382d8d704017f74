"""MQTT clients: the receiver, commands, the embedded broker."""
