//! Requests to a gateway, ten a second, for as long as this is kept.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use reqwest::blocking::Client;

const EVERY: Duration = Duration::from_millis(100);

/// A thread that sends requests, or none where it has no tokens.
#[derive(Debug)]
pub(super) struct Traffic {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    tokens: Mutex<Vec<String>>,
    stopped: AtomicBool,
}

impl Traffic {
    /// To the gateway at this port.
    pub(super) fn start(http: &Client, port: u16) -> Self {
        let (shared, http) = (Arc::new(Shared::default()), http.clone());
        let seen = Arc::clone(&shared);
        Self { shared, thread: Some(thread::spawn(move || send(&http, port, &seen))) }
    }

    /// From now on these tokens take turns.
    pub(super) fn send(&self, tokens: Vec<String>) {
        *self.shared.tokens.lock().unwrap_or_else(PoisonError::into_inner) = tokens;
    }
}

impl Drop for Traffic {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn send(http: &Client, port: u16, shared: &Shared) {
    for turn in 0.. {
        if shared.stopped.load(Ordering::SeqCst) {
            return;
        }
        let token = {
            let tokens = shared.tokens.lock().unwrap_or_else(PoisonError::into_inner);
            tokens.get(turn % tokens.len().max(1)).cloned()
        };
        if let Some(token) = token {
            // What it answers is what the metrics are for.
            let _ = http
                .get(format!("http://127.0.0.1:{port}/"))
                .header("X-Forwarded-Method", "GET")
                .header("X-Forwarded-Host", "service.example")
                .header("X-Forwarded-Uri", "/")
                .bearer_auth(token)
                .send();
        }
        thread::sleep(EVERY);
    }
}
