"""The steps, each a module that is never changed once it was released."""
