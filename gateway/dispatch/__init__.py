"""Delivery of orders to other systems: webhooks, trouble tickets, e-mail, files."""
