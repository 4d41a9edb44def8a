//! RSA keys take long to make, so a process makes each once, for all its labs.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::RsaKeyPair;

/// One lab's way through the keys of the process: it gets each once.
#[derive(Debug, Default)]
pub(crate) struct RsaStock {
    taken: AtomicUsize,
}

static MADE: Mutex<Vec<Arc<[u8]>>> = Mutex::new(Vec::new());

impl RsaStock {
    /// The PKCS#8 of a key of 2048 bits that this lab has not had.
    pub(crate) fn take(&self) -> Result<Arc<[u8]>, Unspecified> {
        let place = self.taken.fetch_add(1, Ordering::Relaxed);
        // The lock is held while one is made: whoever waits here wants a key as well.
        let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(key) = made.get(place) {
                return Ok(Arc::clone(key));
            }
            let pair = RsaKeyPair::generate(KeySize::Rsa2048)?;
            made.push(AsDer::<Pkcs8V1Der<'_>>::as_der(&pair)?.as_ref().into());
        }
    }
}
