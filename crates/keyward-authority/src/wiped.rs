//! Texts that are wiped when they are dropped.

use std::fmt;
use std::ops::{Deref, DerefMut};

use zeroize::optimization_barrier;

/// A text, or octets, wiped as a whole when it is dropped, with the room that it has beyond its end: what `Zeroizing` does octet
/// by octet. Whoever lets it grow leaves a copy behind.
#[derive(Clone, Default, Eq, PartialEq)]
pub(crate) struct Wiped<T: Octets>(T);

/// What is made of octets.
pub(crate) trait Octets: Default {
    /// All of them, and the room that they have.
    fn into_octets(self) -> Vec<u8>;
}

impl Octets for String {
    fn into_octets(self) -> Vec<u8> {
        self.into_bytes()
    }
}

impl Octets for Vec<u8> {
    fn into_octets(self) -> Self {
        self
    }
}

impl<T: Octets> Wiped<T> {
    /// It is wiped from now on.
    pub(crate) const fn new(text: T) -> Self {
        Self(text)
    }
}

impl<T: Octets> Deref for Wiped<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Octets> DerefMut for Wiped<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

impl AsRef<[u8]> for Wiped<Vec<u8>> {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl<T: Octets> Drop for Wiped<T> {
    fn drop(&mut self) {
        wipe(&mut std::mem::take(&mut self.0).into_octets());
    }
}

/// What is in it is not for a log.
impl<T: Octets> fmt::Debug for Wiped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wiped(…)")
    }
}

fn wipe(octets: &mut Vec<u8>) {
    octets.fill(0);
    octets.resize(octets.capacity(), 0);
    // Or it would be left out, since nobody reads it again.
    optimization_barrier(octets.as_slice());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_of_it_is_wiped_and_the_room_behind_it_without_a_copy() {
        let mut octets = Vec::with_capacity(100);
        octets.extend_from_slice(b"a secret that was longer");
        octets.truncate(8);
        let place = octets.as_ptr();
        wipe(&mut octets);
        assert_eq!((octets.as_ptr(), &octets), (place, &vec![0; octets.capacity()]));
    }

    #[test]
    fn nothing_of_it_is_shown() {
        assert_eq!(format!("{:?}", Wiped::new("secret".to_owned())), "Wiped(…)");
    }
}
