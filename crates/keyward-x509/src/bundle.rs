//! Certificates as they are delivered: many in one file.

use rustls_pki_types::pem::{self, PemObject, SectionKind};

use crate::{Certificate, CertificateError};

/// The certificates of one file, in its order, and what could not be read.
///
/// One broken certificate never costs its neighbours. Two that are alike are both kept here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bundle {
    /// The certificates.
    pub certificates: Vec<Certificate>,
    /// The entries that are none.
    pub skipped: Vec<Skipped>,
}

/// An entry of a bundle that is no certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// Its place among the entries, from 0.
    pub index: usize,
    /// Why it is none.
    pub reason: CertificateError,
}

/// How large a bundle may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BundleLimits {
    /// The most octets that are looked at.
    pub octets: usize,
    /// The most certificates.
    pub certificates: usize,
}

impl Default for BundleLimits {
    /// 2 MiB and 1024 certificates: several times what the public roots take.
    fn default() -> Self {
        Self { octets: 2 * 1024 * 1024, certificates: 1024 }
    }
}

/// Why octets are no bundle at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// There is no certificate in it, not even a broken one.
    #[error("there is no certificate in it, neither PEM (\"BEGIN CERTIFICATE\") nor DER")]
    NoCertificate,
    /// More octets than the limit.
    #[error("{octets} octets, over the limit of {limit}")]
    TooLarge {
        /// How many there are.
        octets: usize,
        /// The limit they were held against.
        limit: usize,
    },
    /// More certificates than the limit.
    #[error("more certificates than the limit of {limit}")]
    TooManyCertificates {
        /// The limit they were held against.
        limit: usize,
    },
}

impl Bundle {
    /// Reads PEM with any text around its sections and any other sections between them, or DER, one certificate
    /// after the other.
    ///
    /// # Errors
    /// [`BundleError`] where there is nothing to skip, or too much.
    pub fn parse(octets: &[u8], limits: BundleLimits) -> Result<Self, BundleError> {
        if octets.len() > limits.octets {
            return Err(BundleError::TooLarge { octets: octets.len(), limit: limits.octets });
        }
        let bundle =
            if is_pem(octets) { Self::of_pem(octets, limits) } else { Self::of_der(octets, limits) }?;
        if bundle.len() == 0 {
            return Err(BundleError::NoCertificate);
        }
        Ok(bundle)
    }

    fn of_pem(octets: &[u8], limits: BundleLimits) -> Result<Self, BundleError> {
        let mut bundle = Self::default();
        for section in <(SectionKind, Vec<u8>)>::pem_slice_iter(octets) {
            let entry = match section {
                Ok((SectionKind::Certificate, der)) => Certificate::from_der(&der),
                Ok(_) => continue,
                Err(error) if is_of_another_section(&error) => continue,
                Err(_) => Err(CertificateError::Malformed),
            };
            bundle.take(entry, limits)?;
        }
        Ok(bundle)
    }

    fn of_der(mut octets: &[u8], limits: BundleLimits) -> Result<Self, BundleError> {
        let mut bundle = Self::default();
        // SEQUENCE: what begins with anything else was never meant as a certificate.
        while octets.first() == Some(&0x30) {
            match Certificate::first_from_der(octets) {
                Ok((rest, certificate)) => {
                    bundle.take(Ok(certificate), limits)?;
                    octets = rest;
                }
                Err(error) => {
                    bundle.take(Err(error), limits)?;
                    return Ok(bundle);
                }
            }
        }
        if !octets.is_empty() && bundle.len() > 0 {
            bundle.take(Err(CertificateError::TrailingOctets { octets: octets.len() }), limits)?;
        }
        Ok(bundle)
    }

    fn take(
        &mut self,
        entry: Result<Certificate, CertificateError>,
        limits: BundleLimits,
    ) -> Result<(), BundleError> {
        let index = self.len();
        if index >= limits.certificates {
            return Err(BundleError::TooManyCertificates { limit: limits.certificates });
        }
        match entry {
            Ok(certificate) => self.certificates.push(certificate),
            Err(reason) => self.skipped.push(Skipped { index, reason }),
        }
        Ok(())
    }

    fn len(&self) -> usize {
        self.certificates.len() + self.skipped.len()
    }
}

pub(crate) fn is_pem(octets: &[u8]) -> bool {
    const BEGIN: &[u8] = b"-----BEGIN ";
    octets.windows(BEGIN.len()).any(|window| window == BEGIN)
}

/// Whether PEM broke where no certificate was to be seen. The parser names a section that has no end only.
fn is_of_another_section(error: &pem::Error) -> bool {
    matches!(error, pem::Error::MissingSectionEnd { end_marker } if end_marker != b"CERTIFICATE")
}
