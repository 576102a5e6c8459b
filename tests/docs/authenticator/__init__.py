"""The pages in docs/authenticator/."""
