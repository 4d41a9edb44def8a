//! Certificates in files and folders.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use keyward_x509::{Bundle, BundleError, BundleLimits, Crl};

use crate::exit::Failure;

/// What was read of one file.
pub(crate) struct BundleFile {
    pub(crate) path: PathBuf,
    pub(crate) bundle: Bundle,
}

/// The bundles of these files, and of the files in these folders.
///
/// A file that is named has to hold a certificate; in a folder others may lie beside them, such as keys.
pub(crate) fn bundles(paths: &[PathBuf]) -> Result<Vec<BundleFile>, Failure> {
    let mut read = Vec::new();
    for path in paths {
        if !path.is_dir() {
            read.push(BundleFile { path: path.clone(), bundle: bundle(path)? });
            continue;
        }
        for path in files_of(path).map_err(|cause| failure(path, cause))? {
            match bundle(&path) {
                Ok(bundle) => read.push(BundleFile { path, bundle }),
                Err(Failure::Bundle { cause: BundleError::NoCertificate, .. }) => {}
                Err(failure) => return Err(failure),
            }
        }
    }
    Ok(read)
}

/// The bundle of one file; `-` is standard input.
pub(crate) fn bundle(path: &Path) -> Result<Bundle, Failure> {
    let limits = BundleLimits::default();
    let octets = octets(path, limits.octets)?;
    Bundle::parse(&octets, limits)
        .map_err(|cause| Failure::Bundle { path: path.display().to_string(), cause })
}

/// The revocation lists of one file.
pub(crate) fn crls(path: &Path) -> Result<Vec<Crl>, Failure> {
    let octets = octets(path, Crl::SIZE_LIMIT)?;
    Crl::all_from_pem_or_der(&octets)
        .map_err(|cause| Failure::Crl { path: path.display().to_string(), cause })
}

/// Its regular files in the order of their names.
fn files_of(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in folder.read_dir()? {
        let path = entry?.path();
        if path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// One octet more than `limit` at most, which is over it.
fn octets(path: &Path, limit: usize) -> Result<Vec<u8>, Failure> {
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    let mut octets = Vec::new();
    if path == Path::new("-") {
        io::stdin().lock().take(most).read_to_end(&mut octets).map_err(Failure::Input)?;
        return Ok(octets);
    }
    let read = File::open(path).and_then(|file| file.take(most).read_to_end(&mut octets));
    read.map_err(|cause| failure(path, cause))?;
    Ok(octets)
}

fn failure(path: &Path, cause: io::Error) -> Failure {
    Failure::File { path: path.display().to_string(), cause }
}
