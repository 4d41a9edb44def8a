use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock};

use http::HeaderMap;
use keyward::clock::Clock;
use keyward::{MonoTime, Now, UnixTime};
use keyward_authority::assertion::service_account;
use keyward_authority::authority::Authority;
use keyward_authority::cause::Cause;
use keyward_authority::client_auth::key_files::Uploaded;
use keyward_authority::entity::{Realm, ServiceAccount};
use keyward_authority::http::{Form, FormRequest, KnownName, Peer};
use keyward_authority::operations::{self, KeyOwner};
use keyward_authority::signing::{LocalKeys, MasterKey};
use keyward_authority::storage::{Actor, Store, StoreAddress};
use keyward_authority::view::View;
use keyward_jose::{Algorithm, LocalSigner, Signer, sign_compact};
use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};

use crate::repeats_a_name;

const NOW: i64 = 1_800_000_000;
const ISSUER: &str = "https://id.example/realms/main";
const ENDPOINT: &str = "https://id.example/realms/main/token";

/// An hour, and what clocks may be apart.
const LIFETIME: i64 = 3600;
const LEEWAY: i64 = 60;

static OFFICE: LazyLock<Office> = LazyLock::new(Office::open);

/// An authority with one service account, and that one's key.
struct Office {
    runtime: Runtime,
    authority: Authority,
    realm: Arc<Realm>,
    robot: LocalSigner,
    asked: AtomicU32,
    _folder: tempfile::TempDir,
}

#[derive(Debug)]
struct Still;

impl Clock for Still {
    fn now(&self) -> Now {
        Now { wall: UnixTime(NOW), mono: MonoTime(0) }
    }
}

/// An assertion for the jwt-bearer grant: `data` as it is, and as the claims of one that is well signed.
///
/// What nobody signed is refused; claims that are signed are taken where a second reading finds them good (RFC 7523 §3), once, and
/// nowhere else.
pub fn assertion(data: &[u8]) {
    let office = &*OFFICE;
    if let Ok(text) = std::str::from_utf8(data) {
        assert!(office.ask(text).is_err(), "who signed it?");
    }
    let signed = office.runtime.block_on(sign_compact(&office.robot, None, data)).unwrap();
    let came = office.ask(&signed);
    if is_good(data) {
        assert!(matches!(came, Ok(()) | Err(Cause::AssertionReplayed)), "{came:?}");
        assert_eq!(office.ask(&signed), Err(Cause::AssertionReplayed));
    } else {
        assert!(came.is_err());
    }
}

impl Office {
    fn open() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let address = StoreAddress::Sqlite(folder.path().join("authority.db"));
        let robot = LocalSigner::generate(Algorithm::Es256, Some("robot-1")).unwrap();
        let jwk = serde_json::to_value(robot.public_jwk().unwrap()).unwrap();
        let authority = runtime.block_on(async {
            let store = Store::open(&address).await.unwrap();
            let keys = LocalKeys::new(MasterKey::parse(&"0f".repeat(32)).unwrap());
            let origin = "https://id.example".parse().unwrap();
            let view = View::new(store, Arc::new(Still), 100);
            let authority = Authority::new(view, Arc::new(Still), &origin, Arc::new(keys));
            let by = Actor("fuzz".to_owned());
            operations::create(&authority, &by, "main", Realm::new("main")).await.unwrap();
            let account: ServiceAccount =
                serde_json::from_value(json!({ "id": "robot", "enabled": true })).unwrap();
            operations::create(&authority, &by, "main", account).await.unwrap();
            let owner = KeyOwner::ServiceAccount("robot".to_owned());
            operations::upload_key(&authority, &by, "main", &owner, &Uploaded::Jwk(jwk), None).await.unwrap();
            authority
        });
        let (realm, asked) = (Arc::new(Realm::new("main")), AtomicU32::new(0));
        Self { runtime, authority, realm, robot, asked, _folder: folder }
    }

    /// Each comes from elsewhere: who fails too often is not looked at any more.
    fn ask(&self, assertion: &str) -> Result<(), Cause> {
        let address = Ipv4Addr::from(self.asked.fetch_add(1, Ordering::Relaxed));
        let request = FormRequest {
            realm: Arc::clone(&self.realm),
            issuer: ISSUER.to_owned(),
            name: "token",
            form: Form::default(),
            headers: HeaderMap::new(),
            peer: Peer::plain(address.into()),
            arrived: Still.now(),
            known: KnownName::default(),
        };
        let came = self.runtime.block_on(service_account(&self.authority, &request, assertion));
        assert!(!matches!(came, Err(Cause::Unavailable | Cause::RateLimited)), "{came:?}");
        came.map(drop)
    }
}

/// The claims, read with `Value`.
fn is_good(claims: &[u8]) -> bool {
    // A header of 33 octets, a signature of 64, and two dots.
    let fits = claims.len() * 4 / 3 < 16 * 1024 - 200;
    if !fits || repeats_a_name(claims) {
        return false;
    }
    let Ok(claims) = serde_json::from_slice::<Value>(claims) else {
        return false;
    };
    let text = |name: &str| claims[name].as_str();
    let is_ours = |audience: &Value| audience == ISSUER || audience == ENDPOINT;
    let audience = match &claims["aud"] {
        Value::Array(audiences) => matches!(audiences.as_slice(), [one] if is_ours(one)),
        one => is_ours(one),
    };
    let begins = |name: &str| match &claims[name] {
        Value::Null => true,
        date => seconds(date).is_some_and(|date| date <= NOW + LEEWAY),
    };
    let is_id = match claims.get("jti") {
        None => true,
        Some(id) => id.as_str().is_some_and(|id| !id.is_empty()),
    };
    claims.is_object()
        && text("iss") == Some("robot")
        && text("sub") == Some("robot")
        && audience
        && is_id
        && seconds(&claims["exp"])
            .is_some_and(|exp| NOW < exp.saturating_add(LEEWAY) && exp <= NOW + LIFETIME + LEEWAY)
        && begins("nbf")
        && begins("iat")
}

/// A NumericDate, without what is behind its point.
fn seconds(date: &Value) -> Option<i64> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    date.as_i64().or_else(|| date.as_f64().filter(|date| date.abs() < EXACT).map(|date| date as i64))
}
