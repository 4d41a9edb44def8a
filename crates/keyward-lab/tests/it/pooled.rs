//! Connections that were open before the fault: a pool must not get around it.

use keyward_lab::fault::{Endpoint, Fault};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{ask, dial, ends, fail, hear, jwks_uri, lab, mend, silent};

#[tokio::test]
async fn refuse_cuts_open_connections() {
    let lab = lab().await;
    let uri = jwks_uri(&lab);
    let mut open = dial(&uri).await.unwrap();
    for _ in 0..2 {
        ask(&mut open, &uri).await;
        assert_eq!(hear(&mut open).await.unwrap().status(), 200);
    }
    fail(&lab, Endpoint::Jwks, Fault::Refuse).await;
    let _ = open.write_all(b"GET /jwks HTTP/1.1\r\nHost: x\r\n\r\n").await;
    assert!(open.read_u8().await.is_err(), "nothing is answered");
    assert_eq!(lab.counts("main")[&Endpoint::Jwks].requests, 2);
    assert_eq!(lab.counts("main")[&Endpoint::Jwks].connections, 1);
}

#[tokio::test]
async fn hang_silences_open_connections() {
    let lab = lab().await;
    let uri = jwks_uri(&lab);
    let mut open = dial(&uri).await.unwrap();
    ask(&mut open, &uri).await;
    hear(&mut open).await.unwrap();
    fail(&lab, Endpoint::Jwks, Fault::Hang).await;
    ask(&mut open, &uri).await;
    assert!(silent(&mut open).await);
    mend(&lab, Endpoint::Jwks).await;
    assert!(ends(&mut open).await);
}

#[tokio::test]
async fn an_answer_that_is_under_way_is_silenced_and_cut_as_well() {
    let lab = lab().await;
    let uri = jwks_uri(&lab);
    for (fault, cut) in [(Fault::Hang, false), (Fault::Refuse, true)] {
        let delay = serde_json::from_str(r#"{"delay": "1s"}"#).unwrap();
        fail(&lab, Endpoint::Jwks, delay).await;
        let mut open = dial(&uri).await.unwrap();
        let before = lab.counts("main")[&Endpoint::Jwks].requests;
        ask(&mut open, &uri).await;
        while lab.counts("main")[&Endpoint::Jwks].requests == before {
            tokio::task::yield_now().await;
        }
        fail(&lab, Endpoint::Jwks, fault).await;
        if cut {
            assert!(open.read_u8().await.is_err());
        } else {
            // Until long after the answer would have come.
            for _ in 0..5 {
                assert!(silent(&mut open).await);
            }
        }
        mend(&lab, Endpoint::Jwks).await;
    }
}

#[tokio::test]
async fn a_fault_of_the_answer_leaves_the_connection() {
    let lab = lab().await;
    let uri = jwks_uri(&lab);
    let mut open = dial(&uri).await.unwrap();
    for (fault, status) in [(Fault::Html, 200), (Fault::Status { code: 500, retry_after: None }, 500)] {
        fail(&lab, Endpoint::Jwks, fault).await;
        ask(&mut open, &uri).await;
        assert_eq!(hear(&mut open).await.unwrap().status(), status);
    }
    mend(&lab, Endpoint::Jwks).await;
    ask(&mut open, &uri).await;
    assert_eq!(hear(&mut open).await.unwrap().status(), 200);
    assert_eq!(lab.counts("main")[&Endpoint::Jwks].connections, 1);
}

#[tokio::test]
async fn clients_that_give_up_on_a_hang_leave_room_for_others() {
    let lab = lab().await;
    let uri = jwks_uri(&lab);
    let mut came = 0;
    for fault in [Fault::Hang, Fault::HangAfterHead, Fault::Drip] {
        fail(&lab, Endpoint::Jwks, fault).await;
        // More than may be open at once.
        for _ in 0..1100 {
            let mut given_up = dial(&uri).await.unwrap();
            ask(&mut given_up, &uri).await;
        }
        came += 1100;
        while lab.counts("main")[&Endpoint::Jwks].connections < came {
            tokio::task::yield_now().await;
        }
    }
    mend(&lab, Endpoint::Jwks).await;
    let mut open = dial(&uri).await.unwrap();
    ask(&mut open, &uri).await;
    assert_eq!(hear(&mut open).await.unwrap().status(), 200);
}
