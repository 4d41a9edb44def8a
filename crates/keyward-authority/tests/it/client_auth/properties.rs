//! Whatever a stranger sends, it is refused with a cause.

use std::cell::Cell;

use keyward_authority::assertion::service_account;
use keyward_authority::cause::Cause;
use keyward_authority::entity::ClientAuthMethod;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use tokio::runtime::Runtime;

use super::desk::{Desk, Pair, account, assertion, claims, client, from, pair, signed};
use crate::bench::Bench;

struct Setup {
    runtime: Runtime,
    desk: Desk,
    app: Pair,
    robot: Pair,
    _bench: Bench,
}

fn setup() -> Setup {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let bench = Bench::sqlite();
    let (app, robot) = (pair("client/app", "a"), pair("service_account/robot", "r"));
    let desk = runtime.block_on(async {
        let desk = Desk::open(bench.open().await).await;
        desk.put(&client("app", &[ClientAuthMethod::PrivateKeyJwt])).await;
        desk.put(&account("robot")).await;
        desk.put(&app.key).await;
        desk.put(&robot.key).await;
        desk
    });
    Setup { runtime, desk, app, robot, _bench: bench }
}

impl Setup {
    /// Both uses of one text, from an address that has not failed yet.
    fn outcomes(&self, text: &str, place: u32) -> [Result<(), Cause>; 2] {
        self.runtime.block_on(async {
            let address = (0x0a00_0000 + place).to_be_bytes();
            let request = from(self.desk.request(&assertion(text)), address);
            let client = self.desk.authenticate(&request).await;
            let account = service_account(&self.desk.authority, &request, text).await;
            [client.map(drop).map_err(|refusal| refusal.cause), account.map(drop)]
        })
    }
}

fn next(place: &Cell<u32>) -> u32 {
    place.set(place.get() + 1);
    place.get()
}

#[test]
fn no_assertion_of_a_strangers_making_is_taken() {
    let setup = setup();
    let place = Cell::new(0);
    let claims = prop_oneof![
        any::<String>(),
        (vec("[a-z]{1,8}", 0..6), vec("\"app\"|\"robot\"|1800000060|null|\\[\\]|\\{\\}|1e999", 6)).prop_map(
            |(names, values)| {
                let members: Vec<_> =
                    names.iter().zip(values).map(|(name, value)| format!("\"{name}\":{value}")).collect();
                format!("{{{}}}", members.join(","))
            }
        ),
    ];
    let header = prop_oneof![any::<String>(), "\\{\"alg\":\"(ES256|none|HS256)\",\"kid\":\"(a|r|x)\"\\}"];
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(300));
    runner
        .run(&(header, claims, vec(any::<u8>(), 0..80)), |(header, claims, signature)| {
            let place = next(&place);
            let encode = |octets: &[u8]| base64_simd::URL_SAFE_NO_PAD.encode_to_string(octets);
            let text = [encode(header.as_bytes()), encode(claims.as_bytes()), encode(&signature)].join(".");
            for text in [text.as_str(), &header, &claims] {
                if !text.is_empty() {
                    prop_assert!(setup.outcomes(text, place).iter().all(Result::is_err));
                }
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn no_octet_of_an_assertion_can_be_changed() {
    let setup = setup();
    let texts = setup.runtime.block_on(async {
        let app = signed(&setup.app.signer, &claims("app", "1")).await;
        [app, signed(&setup.robot.signer, &claims("robot", "1")).await]
    });
    let place = Cell::new(0);
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(300));
    runner
        .run(&(any::<bool>(), any::<Index>(), "[A-Za-z0-9_.-]"), |(which, index, octet)| {
            let place = next(&place);
            let text = &texts[usize::from(which)];
            let at = index.index(text.len());
            let changed = format!("{}{octet}{}", &text[..at], &text[at + 1..]);
            if changed != *text {
                let outcomes = setup.outcomes(&changed, place);
                prop_assert!(outcomes.iter().all(Result::is_err), "{changed}");
                prop_assert!(!outcomes.contains(&Err(Cause::Unavailable)));
            }
            Ok(())
        })
        .unwrap();
    // Nothing of it was used up.
    let [client, account] = [setup.outcomes(&texts[0], 1 << 20), setup.outcomes(&texts[1], 1 << 20)];
    assert_eq!((client[0], account[1]), (Ok(()), Ok(())));
}
