//! The proofs of RFC 9449 itself: figure 2 (§4.1), made for a token endpoint, and figure 13 (§7.1), for a resource.

use std::time::Duration;

use keyward_jose::DecodeBuffer;
use keyward_verify::binding::{
    BindingError, BindingSettings, Checked, DpopProof, Presented, ProofError, Proofs, Scheme,
};
use keyward_verify::{MonoTime, Now, Requirement, UnixTime, Verified};
use serde_json::json;

use crate::proofs::checker;
use crate::support::*;

const FIGURE_2: &str = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiItQndDM0VTYzZhY2MybFRjIiwiaHRtIjoiUE9TVCIsImh0dSI6Imh0dHBzOi8vc2VydmVyLmV4YW1wbGUuY29tL3Rva2VuIiwiaWF0IjoxNTYyMjYyNjE2fQ.2-GxA6T8lP4vfrg8v-FdWP0A0zdrj8igiMLvqRMUvwnQg4PtFLbdLXiOSsX0x7NVY-FNyJK70nfbV37xRZT3Lg";

const FIGURE_13: &str = "eyJ0eXAiOiJkcG9wK2p3dCIsImFsZyI6IkVTMjU2IiwiandrIjp7Imt0eSI6IkVDIiwieCI6Imw4dEZyaHgtMzR0VjNoUklDUkRZOXpDa0RscEJoRjQyVVFVZldWQVdCRnMiLCJ5IjoiOVZFNGpmX09rX282NHpiVFRsY3VOSmFqSG10NnY5VERWclUwQ2R2R1JEQSIsImNydiI6IlAtMjU2In19.eyJqdGkiOiJlMWozVl9iS2ljOC1MQUVCIiwiaHRtIjoiR0VUIiwiaHR1IjoiaHR0cHM6Ly9yZXNvdXJjZS5leGFtcGxlLm9yZy9wcm90ZWN0ZWRyZXNvdXJjZSIsImlhdCI6MTU2MjI2MjYxOCwiYXRoIjoiZlVIeU8ycjJaM0RaNTNFc05yV0JiMHhXWG9hTnk1OUlpS0NBcWtzbVFFbyJ9.2oW9RP35yRqzhrtNP86L-Ey71EOptxRimPPToA1plemAgR6pxHF8y6-yqyVnmcw6Fy1dqd-jfxSYoMxhAJpLjA";

/// The token of figure 13, of which the introspection response of figure 9 (§6.2) says what it is bound to.
const TOKEN: &str = "Kz~8mXK1EalYznwH-LC-1fBAo.4Ljp~zsPE_NeO.gxU";
const JKT: &str = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";

const FIGURE_13_ISSUED_AT: i64 = 1_562_262_618;

fn at(wall: i64) -> Now {
    Now { wall: UnixTime(wall), mono: MonoTime(0) }
}

fn introspected() -> Verified {
    let response = json!({ "active": true, "sub": "someone@example.com", "iss": ISSUER,
        "nbf": 1_562_262_611, "exp": 1_562_266_216, "cnf": { "jkt": JKT } });
    let now = at(FIGURE_13_ISSUED_AT);
    active(&question(&answers(), now, TOKEN), &response).check(now, &Requirement::default()).unwrap()
}

fn came(now: Now, jws: &str, method: &str, uri: &str) -> Result<Checked, BindingError> {
    let proofs = Proofs::One(DpopProof { jws: jws.as_bytes(), method, uri });
    let presented = Presented { scheme: Scheme::Dpop, certificate: None, proofs };
    let check = checker(BindingSettings::default());
    check.check(now, None, TOKEN.as_bytes(), &introspected(), &presented, &mut DecodeBuffer::new())
}

#[test]
fn the_proof_of_figure_13_holds_for_its_own_request_and_time() {
    let uri = "https://resource.example.org/protectedresource";
    for (late, holds) in [(-61, false), (-60, true), (0, true), (119, true), (120, false), (86_400, false)] {
        let came = came(at(FIGURE_13_ISSUED_AT + late), FIGURE_13, "GET", uri);
        match came {
            Ok(Checked::Once(once)) => {
                assert!(holds, "{late} s late");
                assert_eq!(once.issued_at, UnixTime(FIGURE_13_ISSUED_AT));
                assert_eq!(once.until, once.issued_at.saturating_add(Duration::from_secs(120)));
            }
            other => {
                assert!(!holds, "{late} s late");
                assert_eq!(other, Err(BindingError::Proof(ProofError::Time)), "{late} s late");
            }
        }
    }
    let now = at(FIGURE_13_ISSUED_AT);
    let refused =
        |came: Result<Checked, BindingError>, error: ProofError| assert_eq!(came, Err(error.into()));
    refused(came(now, FIGURE_13, "POST", uri), ProofError::Method);
    refused(came(now, FIGURE_13, "GET", "https://server.example.com/token"), ProofError::Uri);
}

#[test]
fn the_proof_of_figure_2_is_for_a_token_endpoint_and_names_no_token() {
    let came = came(at(1_562_262_616), FIGURE_2, "POST", "https://server.example.com/token");
    assert_eq!(came, Err(ProofError::MemberMissing { member: "ath" }.into()));
}
