//! An administrator who wants more than they have, or breaks what they should not.

use http::Method;
use keyward_authority::admin::AUDIENCE;
use keyward_authority::apply;
use keyward_authority::entity::{Realm, ResourceServer};
use keyward_authority::operations::{self, Expected, OperationError};
use serde_json::json;

use crate::admin::api::Api;
use crate::bench::{Bench, conformance};
use crate::operations::node::{Node, account, actor, client, server};

conformance! {
    who_may_write_in_the_administrations_realm_alone_makes_no_administrator
    what_cannot_be_a_realms_name_is_none_on_either_engine
    a_resource_server_wants_what_its_realm_signs_with_and_nothing_else
    a_tag_that_is_written_otherwise_is_none_of_ours
}

async fn who_may_write_in_the_administrations_realm_alone_makes_no_administrator(bench: Bench) {
    let api = Api::of(&bench).await;
    let path = format!("/realms/admin/resource-servers/{}", AUDIENCE.replace(':', "%3A"));
    let token = api.token("authority.write").await;
    let mut server = api.send(Method::GET, &path, Some(&token), None, None).await.json;
    server["scopes"].as_array_mut().unwrap().push(json!("authority.write:admin"));
    assert_eq!(api.send(Method::PUT, &path, Some(&token), Some("*"), Some(server)).await.status, 200);
    let clerk = "/realms/admin/service-accounts/clerk";
    let mut clerks = api.send(Method::GET, clerk, Some(&token), None, None).await.json;
    clerks["scopes"] = json!(["authority.write:admin", "authority.write:main"]);
    let changed = api.send(Method::PUT, clerk, Some(&token), Some("*"), Some(clerks.clone())).await;
    assert_eq!(changed.status, 200);

    let claims = json!({"sub": "clerk", "client_id": "clerk"});
    let token = api.token_with("authority.write:admin authority.write:main", claims).await;
    let send = async |method, path: &str, version: Option<&str>, body| {
        api.send(method, path, Some(&token), version, body).await.status
    };
    let robot = json!(account("robot"));
    assert_eq!(send(Method::POST, "/realms/main/service-accounts", None, Some(robot)).await, 201);
    assert_eq!(send(Method::GET, clerk, None, None).await, 200);
    clerks["scopes"] = json!(["authority.write"]);
    assert_eq!(send(Method::PUT, clerk, Some("*"), Some(clerks)).await, 403, "itself");
    let mut evil = json!(account("evil"));
    (evil["scopes"], evil["audiences"]) = (json!(["authority.write"]), json!([AUDIENCE]));
    assert_eq!(send(Method::POST, "/realms/admin/service-accounts", None, Some(evil)).await, 403);
    let roots = "/realms/admin/service-accounts/root/generated-keys";
    assert_eq!(send(Method::POST, roots, None, Some(json!({}))).await, 403, "a key of somebody else's");
    assert_eq!(send(Method::POST, "/realms/admin/rotate-signing-keys", None, None).await, 403);
}

async fn what_cannot_be_a_realms_name_is_none_on_either_engine(bench: Bench) {
    let api = Api::of(&bench).await;
    for name in ["a\0b", "\0", "..", "main/x", "Main", "mäin", "", &"a".repeat(64)] {
        assert_eq!(api.node.authority.realm(name).await.unwrap(), None, "{name:?}");
    }
    assert!(api.node.authority.realm("main").await.unwrap().is_some());
    let token = api.token("authority.write").await;
    let bodies = [
        ("clients", json!(client("web"))),
        ("service-accounts", json!(account("robot"))),
        ("resource-servers", json!(server("api"))),
        ("service-accounts/robot/generated-keys", json!({})),
        ("clients/web/secrets", json!({"name": "first"})),
    ];
    for (path, body) in bodies {
        let path = format!("/realms/a%00b/{path}");
        let answer = api.send(Method::POST, &path, Some(&token), None, Some(body)).await;
        assert_eq!((answer.status, answer.problem()), (404, "not_found"), "{path}");
    }
    let listed = api.send(Method::GET, "/realms/main/clients/a%00b/secrets", Some(&token), None, None).await;
    assert_eq!(listed.status, 200);
}

async fn a_resource_server_wants_what_its_realm_signs_with_and_nothing_else(bench: Bench) {
    let node = Node::of(&bench).await;
    let (authority, by) = (&node.authority, actor());
    let invalid = |result: Result<(), OperationError>| match result {
        Err(OperationError::Invalid { what, why }) => what == "algorithm" && why.contains("RS256"),
        _ => false,
    };
    node.create("admin", Realm::new("admin")).await.unwrap();
    let wants = |audience: &str, algorithm: &str| ResourceServer {
        algorithm: Some(algorithm.to_owned()),
        ..server(audience)
    };
    node.create("main", wants("signed", "ES256")).await.unwrap();
    assert!(invalid(node.create("main", wants("api", "RS256")).await.map(drop)));
    // Tokens of the administration that nothing signs would leave nobody to mend it.
    node.create("admin", server(AUDIENCE)).await.unwrap();
    let locked = operations::change(authority, &by, "admin", wants(AUDIENCE, "RS256"), Expected::Any).await;
    assert!(invalid(locked.map(drop)));

    let mut both = Realm::new("both");
    both.rotation.algorithms.push("RS256".to_owned());
    node.create("both", both.clone()).await.unwrap();
    node.create("both", wants("api", "RS256")).await.unwrap();
    let less = operations::change(authority, &by, "both", Realm::new("both"), Expected::Any).await;
    assert!(invalid(less.map(drop)), "what a resource server wants stays");
    let off = ResourceServer { enabled: false, ..wants("api", "RS256") };
    operations::change(authority, &by, "both", off, Expected::Any).await.unwrap();
    operations::change(authority, &by, "both", Realm::new("both"), Expected::Any).await.unwrap();
    let on = operations::change(authority, &by, "both", wants("api", "RS256"), Expected::Any).await;
    assert!(invalid(on.map(drop)));

    // A file is held to the same, as a whole: what goes in it together may.
    let mut file = apply::current(authority, "main").await.unwrap().unwrap();
    file.realm.rotation.algorithms = vec!["RS256".to_owned()];
    let steps = apply::plan(apply::current(authority, "main").await.unwrap().as_ref(), &file);
    assert!(matches!(
        apply::apply(authority, &by, &file, &steps).await,
        Err(OperationError::Invalid { what: "algorithm", .. })
    ));
    file.resource_servers.clear();
    let steps = apply::plan(apply::current(authority, "main").await.unwrap().as_ref(), &file);
    apply::apply(authority, &by, &file, &steps).await.unwrap();
}

async fn a_tag_that_is_written_otherwise_is_none_of_ours(bench: Bench) {
    let api = Api::of(&bench).await;
    let token = api.token("authority.write").await;
    let path = "/realms/main/clients/web";
    let body = json!(client("web"));
    let made = api.send(Method::POST, "/realms/main/clients", Some(&token), None, Some(body.clone())).await;
    let tag = made.tag.unwrap();
    let position = tag.trim_matches('"');
    let others = [
        format!("\"+{position}\""),
        format!("\"0{position}\""),
        format!("W/{tag}"),
        position.to_owned(),
        format!("{tag}, \"1\""),
        "\"\"".to_owned(),
        "\"*\"".to_owned(),
        "\"99999999999999999999\"".to_owned(),
    ];
    for other in others {
        let answer = api.send(Method::PUT, path, Some(&token), Some(&other), Some(body.clone())).await;
        assert_eq!(answer.status, 400, "{other}");
    }
    assert_eq!(api.send(Method::PUT, path, Some(&token), Some(&tag), Some(body)).await.status, 200);
}
