//! Our credential at a provider that refuses it: from the probe over sockets to the finding that stands first.

mod a1;
mod a2;
mod endpoint;
mod manners;

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use keyward::clock::{Clock as _, SystemClock};
use keyward::credentials::{
    Audience, BearerSettings, Caller, CallerSettings, ClientSettings, CredentialSettings, Grant,
    KeyFileSettings,
};
use keyward::endpoint::EndpointPlace;
use keyward::event::{Event, Observer};
use keyward::{FallbackSettings, IntrospectionSettings, IssuerSettings, Strategy};
use keyward_doctor::diagnosis::{Certainty, Diagnosis};
use keyward_doctor::facts::{Call, Facts, IntrospectionFacts, Variation};
use keyward_doctor::probe::{IssuerTarget, Means, Silent, Target, look};
use keyward_doctor::rules::diagnose;
use keyward_lab::client::KeyFileForm;
use keyward_lab::command::Command;
use keyward_lab::plan::{IssuerPlan, LabPlan};
use keyward_lab::{Lab, Sockets};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Nobody wants to know.
#[derive(Debug)]
struct Nobody;

impl Observer for Nobody {
    fn observe(&self, _: &str, _: &Event<'_>) {}
}

/// A provider, and the folder with our credential's files.
pub(crate) struct Ours {
    pub(crate) lab: Lab,
    folder: TempDir,
    log: Option<Vec<u8>>,
}

impl Ours {
    /// An issuer named `main` of this plan.
    pub(crate) async fn at(plan: Value) -> Self {
        let plan: IssuerPlan = serde_json::from_value(plan).unwrap();
        let plan = LabPlan { issuer: BTreeMap::from([("main".to_owned(), plan)]) };
        let lab = Lab::on_sockets(&plan, &Sockets::default()).await.unwrap();
        Self { lab, folder: tempfile::tempdir().unwrap(), log: None }
    }

    pub(crate) async fn obey(&self, command: Value) {
        self.lab.obey(&serde_json::from_value::<Command>(command).unwrap()).await.unwrap();
    }

    /// A file that nobody else can read.
    pub(crate) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    /// The key file that the provider hands out.
    pub(crate) fn key_file(&self, client: &str, form: KeyFileForm) -> KeyFileSettings {
        let text = self.lab.key_file(None, client, None, form).unwrap();
        let kid = matches!(form, KeyFileForm::Pem).then(|| format!("{client}-1"));
        KeyFileSettings { kid, ..KeyFileSettings::new(self.file(&format!("{client}.key"), &text)) }
    }

    pub(crate) fn secret(&self, client: &str, secret: &str, posts: bool) -> CredentialSettings {
        let (client_id, secret_file) = (client.to_owned(), self.file("secret", secret));
        CredentialSettings::Client(match posts {
            true => ClientSettings::ClientSecretPost { client_id, secret_file },
            false => ClientSettings::ClientSecretBasic { client_id, secret_file },
        })
    }

    pub(crate) fn private_key_jwt(&self, client: &str, form: KeyFileForm) -> CredentialSettings {
        let client_id = matches!(form, KeyFileForm::Pem).then(|| client.to_owned());
        let (key, audience) = (self.key_file(client, form), Audience::Issuer);
        CredentialSettings::Client(ClientSettings::PrivateKeyJwt { client_id, key, audience })
    }

    pub(crate) fn jwt_bearer(&self, client: &str, form: KeyFileForm) -> CredentialSettings {
        let subject = matches!(form, KeyFileForm::Pem).then(|| client.to_owned());
        let (key, audience) = (self.key_file(client, form), Audience::Issuer);
        CredentialSettings::Bearer(Box::new(BearerSettings {
            token_endpoint: EndpointPlace::Discovery,
            grant: Grant::JwtBearer { key, subject, audience },
            scope: None,
        }))
    }

    pub(crate) fn settings(&self, credential: CredentialSettings) -> IssuerSettings {
        IssuerSettings {
            strategy: Strategy::Introspection,
            introspection: Some(IntrospectionSettings::new(credential)),
            fallback: Some(FallbackSettings::default()),
            ..IssuerSettings::discover(&self.lab.issuer("main").unwrap().issuer).named("main")
        }
    }

    /// What the provider writes down when a gateway with this credential calls it.
    pub(crate) async fn logged(mut self, credential: &CredentialSettings) -> Self {
        let addresses = self.lab.issuer("main").unwrap();
        let clock = Arc::new(SystemClock::new());
        let settings = CallerSettings::new("main", &addresses.issuer, credential.clone());
        let caller = Caller::start(settings, clock.clone(), Arc::new(Nobody), 1).unwrap();
        let endpoint = addresses.introspection_endpoint.parse().unwrap();
        let deadline = clock.mono().saturating_add(std::time::Duration::from_secs(5));
        caller.post(&endpoint, &endpoint, &[("token", "a user's")], deadline).await.unwrap_err();
        let lines = self.lab.provider_log(None, 0).unwrap().lines;
        assert!(!lines.is_empty());
        self.log = Some(lines.join("\n").into_bytes());
        self
    }

    pub(crate) async fn looked_at(&self, settings: IssuerSettings) -> Look {
        let target = Target {
            issuers: vec![IssuerTarget { settings }],
            provider_log: self.log.clone(),
            ..Target::default()
        };
        let facts = look(&target, &Means::new(Arc::new(SystemClock::new()), Arc::new(Silent))).await;
        Look { diagnosis: diagnose(&facts), facts }
    }

    pub(crate) async fn looked(&self, credential: CredentialSettings) -> Look {
        self.looked_at(self.settings(credential)).await
    }
}

/// What was seen, and what follows.
#[derive(Debug)]
pub(crate) struct Look {
    pub(crate) facts: Facts,
    pub(crate) diagnosis: Diagnosis,
}

impl Look {
    pub(crate) fn introspection(&self) -> &IntrospectionFacts {
        self.facts.issuers[0].introspection.as_ref().unwrap()
    }

    pub(crate) fn calls(&self) -> &[Call] {
        &self.introspection().calls
    }

    pub(crate) fn variations(&self) -> Vec<Variation> {
        self.calls().iter().map(|call| call.variation).collect()
    }

    /// The codes that stand at the top.
    pub(crate) fn roots(&self) -> Vec<String> {
        self.diagnosis.findings.iter().map(|finding| finding.code.to_string()).collect()
    }

    /// The only finding is this one, so sure, and its texts say these.
    pub(crate) fn says(&self, code: &str, certainty: Certainty, texts: &[&str]) {
        assert_eq!(self.roots(), [code], "{:#?}\n{:#?}", self.diagnosis, self.calls());
        let finding = &self.diagnosis.findings[0];
        assert_eq!(finding.certainty, certainty, "{finding:#?}");
        let text = serde_json::to_string(finding).unwrap();
        for said in texts {
            assert!(text.contains(said), "{said}: {finding:#?}");
        }
        // Whatever is wrong, there is something to do about it.
        assert!(!finding.fix.is_empty() && finding.consequences.is_empty(), "{finding:#?}");
    }
}

pub(crate) fn gateway_client(secret: &str) -> Value {
    json!({ "client": { "gateway": { "secret": secret } } })
}

pub(crate) fn gateway_key() -> Value {
    json!({ "client": { "gateway": { "keys": [{ "kid": "gateway-1", "algorithm": "ES256" }] } } })
}
