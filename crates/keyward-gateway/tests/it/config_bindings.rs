//! What can be wrong with `[gateway.client_certificate]`, `[gateway.dpop]` and `binding`, and where it says so.

use crate::support::{Folder, config};

#[test]
fn each_mistake_names_its_line() {
    let header =
        |lines: &str| format!("[gateway.client_certificate]\n{lines}\ntrusted_peers = [\"10.0.0.0/8\"]\n");
    let peers =
        |peers: &str| format!("[gateway.client_certificate]\nfrom = \"xfcc\"\ntrusted_peers = [{peers}]\n");
    let dpop = |lines: &str| format!("[gateway.dpop]\norigins = [\"https://api.example\"]\n{lines}\n");
    let origins = |origins: &str| format!("[gateway.dpop]\norigins = [{origins}]\n");
    let route = |binding: &str| format!("[[route]]\nbinding = \"{binding}\"\n");
    for (text, line, why) in [
        (header("from = \"apache\""), 2, "unknown variant `apache`"),
        (header("from = \"nginx\""), 2, "nginx has no header of its own"),
        (header("from = \"nginx\"\nheader = \"X Cert\""), 3, "this is no header for a certificate"),
        (header("from = \"nginx\"\nheader = \"Authorization\""), 3, "this is no header for a certificate"),
        (header("from = \"xfcc\"\nheader = \"X-Cert\""), 3, "always x-forwarded-client-cert"),
        (header(""), 1, "missing field `from`"),
        ("[gateway.client_certificate]\nfrom = \"xfcc\"\n".to_owned(), 1, "missing field `trusted_peers`"),
        (peers(""), 3, "nobody's word counts"),
        (peers("\"proxy.example\""), 3, "this is no net"),
        (peers("\"10.0.0.0/33\""), 3, "this is no net"),
        (peers("\"10.0.0.1/8\""), 3, "write 10.0.0.0/8 for the net"),
        (dpop("algorithms = []"), 3, "every proof would be refused"),
        (dpop("algorithms = [\"HS256\"]"), 3, "no proof is signed with this"),
        (dpop("algorithms = [\"none\"]"), 3, "no proof is signed with this"),
        (dpop("proof_age = \"0s\""), 3, "longer than zero"),
        (dpop("nonce_slot = \"100ms\""), 3, "at least \"1s\""),
        (dpop("used_proofs = 0"), 3, "at least 1"),
        (dpop("origin = \"https://api.example\""), 3, "unknown field `origin`"),
        (dpop("secret_file = \"missing\""), 3, "missing: cannot be read"),
        (dpop("secret_file = \"planted\""), 3, "planted: a secret of fewer than 32 characters"),
        (origins(""), 2, "without an origin no proof is for us"),
        (origins("\"api.example\""), 2, "an origin is a scheme"),
        (origins("\"https://api.example/\""), 2, "has no slash at its end"),
        (origins("\"https://a.example\", \"https://A.example\""), 2, "this origin is there twice"),
        (origins("\"https://a.example\", \"http://a.example\""), 2, "nothing would tell this origin"),
        ("[gateway.dpop]\n".to_owned(), 1, "missing field `origins`"),
        (route("certificate"), 2, "no request could pass here"),
        (route("dpop"), 2, "without [gateway.dpop]"),
        (route("any"), 2, "no request could pass here"),
        (route("certificate") + &dpop(""), 2, "no request could pass here"),
        (route("dpop") + &peers("\"::1\""), 2, "no request could pass here"),
        (route("key"), 2, "unknown variant `key`"),
        ("[[route]]\n[route.headers]\nDPoP-Nonce = \"/sub\"".to_owned(), 3, "cannot carry an identity"),
    ] {
        let folder = Folder::new();
        folder.write("planted", "short-sEcret\n");
        let error = folder.parse(&(config("") + &text)).unwrap_err().to_string();
        let line = config("").lines().count() + line;
        assert!(error.starts_with(&format!("{line}:")) && error.contains(why), "{error}\n{text}");
        assert!(!error.contains("sEcret"), "{error}");
    }
    let all =
        route("any") + &route("dpop") + &route("certificate") + &dpop("") + &peers("\"::1\", \"10.0.0.1\"");
    Folder::new().parse(&(config("") + &all)).unwrap();
}
