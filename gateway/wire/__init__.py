"""Payloads and topics: bytes to checked messages, knowing nothing of MQTT clients."""
