//! Real identity providers and real proxies, installed, started and put through Keyward.
