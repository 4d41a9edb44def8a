//! `deploy/prometheus/authority-alerts.yaml`: each alert asks for what there is, and tells whoever is woken what to do.

use std::collections::BTreeMap;

use super::{check, read, workspace};

/// One alert of the file: its members, by name. Those of `labels` and `annotations` are among them.
type Alert = BTreeMap<String, String>;

#[test]
fn every_alert_asks_for_metrics_labels_and_values_that_there_are() {
    for (name, alert) in alerts() {
        let asked = check(&alert["expr"]);
        assert!(!asked.is_empty() || name == "KeywardAuthorityDown", "{name} asks for nothing of ours");
    }
}

#[test]
fn every_alert_says_how_bad_it_is_what_it_means_what_to_run_first_and_where_to_read_on() {
    let alerts = alerts();
    assert!(alerts.len() >= 9, "{:?}", alerts.keys());
    for (name, alert) in &alerts {
        assert!(matches!(alert["severity"].as_str(), "critical" | "warning"), "{name}");
        assert!(alert["for"].ends_with('m'), "{name}");
        assert!(alert["summary"].len() > 20 && alert["description"].len() > 60, "{name}");
        let command = &alert["first_command"];
        assert!(command.starts_with("keyward ") || command.starts_with("curl "), "{name}");
        let page = format!("docs/how-to/runbook/{name}.md");
        assert_eq!(alert["runbook_url"], page);
        assert!(workspace().join(page).exists(), "{name}");
    }
}

#[test]
fn every_alert_has_a_case_in_which_it_fires_with_its_whole_text() {
    let cases = read(&workspace().join("deploy/prometheus/authority.test.yaml"));
    for name in alerts().keys() {
        let (fires, told) = (format!("alertname=\"{name}\""), format!("alertname: {name}\n"));
        assert!(cases.contains(&fires) && cases.contains(&told), "{name}");
    }
}

/// Reads as much YAML as the file is written in: members in lines of their own, and blocks of `|` and `>-`.
fn alerts() -> BTreeMap<String, Alert> {
    let text = read(&workspace().join("deploy/prometheus/authority-alerts.yaml"));
    let (mut alerts, mut current) = (BTreeMap::<String, Alert>::new(), None);
    let mut lines = text.lines().filter(|line| !line.trim_start().starts_with('#')).peekable();
    while let Some(line) = lines.next() {
        let Some((member, value)) = line.trim_start().trim_start_matches("- ").split_once(':') else {
            continue;
        };
        let mut value = value.trim().to_owned();
        let depth = |line: &str| line.len() - line.trim_start().len();
        if matches!(value.as_str(), "|" | ">-") {
            value.clear();
            while let Some(more) = lines.next_if(|more| depth(more) > depth(line)) {
                value = format!("{value} {}", more.trim());
            }
        }
        if member == "alert" {
            assert!(alerts.insert(value.clone(), Alert::new()).is_none(), "{value} comes twice");
            current = Some(value);
        } else if let Some(alert) = current.as_ref().and_then(|name| alerts.get_mut(name)) {
            alert.insert(member.to_owned(), value);
        }
    }
    alerts
}
