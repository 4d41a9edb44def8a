//! Which route a request is held to, and requests that do not say which one they mean.

use crate::support::{
    Folder, OTHER_ISSUER, OTHER_KEY, Running, bearer, claims, config, good_token, now, other_issuer, sign,
    with,
};

/// The statuses of requests without a token: 200 by a public route, 401 by a required one.
async fn statuses(running: &Running, requests: &[(&str, &str, &str, u16)]) {
    for (method, host, uri, status) in requests {
        let got = running.ask_as(method, host, uri, &[]).await;
        assert_eq!(got.status, *status, "{method} {host} {uri}: {}", got.body);
    }
}

#[tokio::test]
async fn the_first_route_that_matches_decides() {
    let folder = Folder::new();
    let routes = r#"
        [[route]]
        paths = ["/a/b/"]
        [[route]]
        paths = ["/a/", "/exact"]
        access = "public"
        [[route]]
        paths = ["/a/c/"]
    "#;
    let running = folder.start(&config(routes)).await;
    statuses(
        &running,
        &[
            ("GET", "app.example", "/a/b/", 401),
            ("GET", "app.example", "/a/b", 401),
            ("GET", "app.example", "/a/b/c?x=/a/", 401),
            ("GET", "app.example", "/a/bc", 200),
            ("GET", "app.example", "/a/", 200),
            ("GET", "app.example", "/a", 200),
            ("GET", "app.example", "/a?b/", 200),
            ("GET", "app.example", "/a/c/d", 200),
            ("GET", "app.example", "/exact", 200),
            // No route matches these: a token of any issuer is needed.
            ("GET", "app.example", "/exact/", 401),
            ("GET", "app.example", "/exactly", 401),
            ("GET", "app.example", "/A/", 401),
            ("GET", "app.example", "/ab", 401),
            ("GET", "app.example", "/", 401),
            ("GET", "app.example", "/?/a/", 401),
        ],
    )
    .await;
    let authorization = bearer(&good_token());
    assert_eq!(running.ask("/nowhere", &[("authorization", &authorization)]).await.status, 200);
}

#[tokio::test]
async fn hosts_match_whatever_their_case_port_and_final_dot() {
    let folder = Folder::new();
    let routes = r#"
        [[route]]
        hosts = ["admin.example.com", "[::1]"]
        [[route]]
        hosts = ["*.example.com", "example.org", "127.0.0.1"]
        access = "public"
    "#;
    let running = folder.start(&config(routes)).await;
    statuses(
        &running,
        &[
            ("GET", "a.example.com", "/", 200),
            ("GET", "a.b.EXAMPLE.com:8443", "/", 200),
            ("GET", "a.example.com.", "/", 200),
            ("GET", "Example.ORG", "/", 200),
            ("GET", "127.0.0.1:80", "/", 200),
            ("GET", "admin.example.com", "/", 401),
            ("GET", "ADMIN.example.com:443", "/", 401),
            ("GET", "admin.example.com.", "/", 401),
            ("GET", "admin.example.com.:443", "/", 401),
            ("GET", "[::1]:443", "/", 401),
            ("GET", "[::1]", "/", 401),
            // The wildcard is for what is below, and for nothing that only looks so.
            ("GET", "example.com", "/", 401),
            ("GET", ".example.com", "/", 401),
            ("GET", "badexample.com", "/", 401),
            ("GET", "a.example.com.evil", "/", 401),
            ("GET", "a.example.org", "/", 401),
        ],
    )
    .await;
    for host in
        ["a.example.com, admin.example.com", "user@a.example.com", "a.example.com/x", "a b", "", "a\\b"]
    {
        let got = running.ask_as("GET", host, "/", &[]).await;
        assert_eq!(got.status, 400, "{host:?}");
        assert!(got.json()["description"].as_str().unwrap().contains("host"), "{}", got.body);
    }
}

#[tokio::test]
async fn methods_are_told_apart() {
    let folder = Folder::new();
    let routes = r#"
        [[route]]
        methods = ["POST", "DELETE"]
        [[route]]
        access = "public"
    "#;
    let running = folder.start(&config(routes)).await;
    statuses(
        &running,
        &[
            ("GET", "a", "/", 200),
            ("HEAD", "a", "/", 200),
            ("OPTIONS", "a", "/", 200),
            ("M-SEARCH", "a", "/", 200),
            ("POST", "a", "/", 401),
            ("DELETE", "a", "/", 401),
            // Some services take these for POST.
            ("post", "a", "/", 400),
            ("Post", "a", "/", 400),
            ("GET, POST", "a", "/", 400),
            ("", "a", "/", 400),
        ],
    )
    .await;
}

#[tokio::test]
async fn without_a_proxys_headers_the_request_speaks_for_itself() {
    let folder = Folder::new();
    let routes = r#"
        [[route]]
        hosts = ["app.example"]
        paths = ["/public/"]
        methods = ["GET", "HEAD", "OPTIONS"]
        access = "public"
    "#;
    let running = folder.start(&config(routes)).await;
    for (request, status) in [
        ("GET /public/x?a HTTP/1.1\r\nHost: app.example:8080", 200),
        ("HEAD /public/x HTTP/1.1\r\nHost: app.example", 200),
        ("OPTIONS /public/x HTTP/1.1\r\nHost: app.example", 200),
        ("POST /public/x HTTP/1.1\r\nHost: app.example", 401),
        ("GET /public/x HTTP/1.1\r\nHost: other.example", 401),
        ("HEAD /private HTTP/1.1\r\nHost: app.example", 401),
        ("OPTIONS /private HTTP/1.1\r\nHost: app.example", 401),
        ("GET /public/../private HTTP/1.1\r\nHost: app.example", 400),
        ("OPTIONS * HTTP/1.1\r\nHost: app.example", 400),
        // Two hosts, in whichever way, are none.
        ("GET /public/ HTTP/1.1\r\nHost: app.example\r\nHost: other.example", 400),
        ("GET http://other.example/public/ HTTP/1.1\r\nHost: app.example", 400),
        ("GET http://app.example/public/ HTTP/1.1\r\nHost: app.example", 200),
    ] {
        let mut raw = running.connect().await;
        raw.send(format!("{request}\r\n\r\n")).await;
        let method = request.split(' ').next().unwrap();
        let (got, ..) = raw.answer_to(method).await.unwrap_or_else(|| panic!("no answer to {request}"));
        assert_eq!(got, status, "{request}");
    }
}

#[tokio::test]
async fn whoever_does_not_say_what_it_asks_about_is_refused() {
    let folder = Folder::new();
    let routes = r#"
        [[route]]
        hosts = ["app.example"]
        paths = ["/public/"]
        methods = ["GET"]
        access = "public"
        [route.headers]
        "X-Auth-Subject" = "/sub"
    "#;
    let running = folder.start(&config(routes)).await;
    let told =
        [("x-forwarded-method", "GET"), ("x-forwarded-host", "app.example"), ("x-forwarded-uri", "/public/")];
    assert_eq!(running.send(&told).await.status, 200);
    let more = [
        ("x-original-uri", "/private/"),
        ("x-original-method", "POST"),
        ("x-original-host", "other.example"),
        ("x-forwarded-uri", "/private/"),
        ("x-forwarded-method", "POST"),
        ("x-forwarded-host", "other.example"),
    ];
    for more in more {
        let got = running.send(&[&told[..], &[more]].concat()).await;
        assert_eq!(got.status, 400, "{more:?}");
        assert_eq!(got.header("x-keyward-reason"), Some("request_unclear"));
        assert_eq!(got.json()["reason"], "request_unclear");
        assert!(got.json()["description"].as_str().unwrap().contains("contradicting"));
        assert_eq!(got.json()["error"], "invalid_request");
        assert_eq!(got.header("cache-control"), Some("no-store"));
        assert_eq!(got.header("x-auth-subject"), Some(""));
        assert!(got.header("x-correlation-id").is_some());
        // The other way round, too.
        assert_eq!(running.send(&[&[more], &told[..]].concat()).await.status, 400, "{more:?}");
    }
    for left_out in 0..told.len() {
        let mut some = told.to_vec();
        let (name, _) = some.remove(left_out);
        let got = running.send(&some).await;
        assert_eq!(got.status, 400, "without {name}");
    }
    assert_eq!(running.metric("keyward_unclear_requests_total").await, Some(15.0));
    // The same said twice is no contradiction.
    let same =
        [("x-original-uri", "/public/"), ("x-original-method", "GET"), ("x-original-host", "app.example")];
    assert_eq!(running.send(&[&told[..], &same].concat()).await.status, 200);
    assert_eq!(running.send(&same).await.status, 200);
}

#[tokio::test]
async fn an_optional_route_lets_no_token_pass_but_not_a_bad_one() {
    let folder = Folder::new();
    let running = folder.start(&config("[[route]]\naccess = \"optional\"\ncookie = \"session\"")).await;
    assert_eq!(running.ask("/", &[]).await.status, 200);
    assert_eq!(running.ask_with(&good_token()).await.status, 200);
    for (name, value, reason) in [
        ("authorization", "Bearer x".to_owned(), "malformed_token"),
        ("authorization", "Bearer ".to_owned(), "malformed_token"),
        ("authorization", bearer(&sign(&OTHER_KEY, &claims())), "unknown_kid"),
        ("cookie", "session=x".to_owned(), "malformed_token"),
        (
            "cookie",
            format!("session={}", sign(&crate::support::KEY, &with(claims(), "exp", now() - 99))),
            "expired",
        ),
    ] {
        let got = running.ask("/", &[(name, &value)]).await;
        assert_eq!((got.status, got.reason()), (401, Some(reason)), "{name}");
    }
}

#[tokio::test]
async fn a_route_demands_issuers_audiences_scopes_and_claims() {
    let folder = Folder::new();
    let routes = r#"
        [[route]]
        paths = ["/other/"]
        issuers = ["other"]
        [[route]]
        paths = ["/audience/"]
        audiences = ["files"]
        [[route]]
        paths = ["/scope/"]
        scopes = ["read", "admin"]
        [[route]]
        paths = ["/claims/"]
        [route.claims]
        "/realm_access/roles" = ["owner", "admin"]
        "/tenant" = true
    "#;
    let running = folder.start(&config(&format!("{}{routes}", other_issuer()))).await;
    let of_other = sign(&OTHER_KEY, &with(claims(), "iss", OTHER_ISSUER));
    let of_tenant = sign(&crate::support::KEY, &with(claims(), "tenant", 7));
    let for_files = sign(&crate::support::KEY, &with(claims(), "aud", vec!["x", "files"]));
    let for_admins = sign(&crate::support::KEY, &with(claims(), "scope", "admin read"));
    let good = good_token();
    for (path, token, status, reason) in [
        ("/", &of_other, 200, None),
        ("/other/", &of_other, 200, None),
        ("/other/", &good, 401, Some("wrong_issuer")),
        ("/audience/", &for_files, 200, None),
        ("/audience/", &good, 401, Some("wrong_audience")),
        ("/scope/", &for_admins, 200, None),
        ("/scope/", &good, 403, Some("insufficient_scope")),
        ("/claims/", &of_tenant, 200, None),
        ("/claims/", &good, 401, Some("missing_claim")),
    ] {
        // Twice, since an accepted token is remembered.
        for _ in 0..2 {
            let got = running.ask(path, &[("authorization", &bearer(token))]).await;
            assert_eq!((got.status, got.reason()), (status, reason), "{path}: {}", got.body);
        }
    }
}
