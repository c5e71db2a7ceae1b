"""Token counts made here: with the model's own tokenizer where there is one, without a network ever."""

from tokenwire_server.providers.tokens.count import count_chat, count_embed, count_text

__all__ = ["count_chat", "count_embed", "count_text"]
