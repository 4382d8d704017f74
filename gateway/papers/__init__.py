"""What is printed or handed over: the order on one page, the repair information form, a device's own data."""
