"""What talks to model providers: the only code that imports their SDKs or an HTTP client."""
