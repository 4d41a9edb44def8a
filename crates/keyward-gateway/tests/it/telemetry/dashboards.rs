//! `deploy/grafana`: each panel asks for what there is and says what it shows, and nothing that is counted is missing.

use std::collections::BTreeSet;

use keyward_gateway::METRICS;
use serde_json::Value;

use super::{check, deployed, read};

const DASHBOARDS: [&str; 2] = ["overview.json", "issuer.json"];

#[test]
fn every_panel_asks_for_metrics_and_labels_that_there_are_and_all_metrics_are_shown() {
    let mut shown = BTreeSet::new();
    for panel in DASHBOARDS.iter().flat_map(|name| panels(&dashboard(name))) {
        let targets = panel["targets"].as_array().unwrap();
        assert!(!targets.is_empty(), "{panel}");
        for target in targets {
            shown.extend(check(target["expr"].as_str().unwrap()));
        }
    }
    let all: BTreeSet<_> = METRICS.iter().map(|metric| metric.name).collect();
    assert_eq!(all.difference(&shown).collect::<Vec<_>>(), Vec::<&&str>::new());
}

#[test]
fn every_panel_has_a_title_a_description_a_unit_and_the_datasource_that_is_chosen() {
    for panel in DASHBOARDS.iter().flat_map(|name| panels(&dashboard(name))) {
        let text =
            |pointer: &str| panel.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        assert!(text("/title").len() > 3 && text("/description").len() > 20, "{panel}");
        assert!(!text("/fieldConfig/defaults/unit").is_empty(), "{panel}");
        assert_eq!(text("/datasource/uid"), "${datasource}", "{panel}");
        for target in panel["targets"].as_array().unwrap() {
            assert_eq!(target["datasource"]["uid"], "${datasource}", "{panel}");
        }
    }
}

#[test]
fn a_dashboard_has_its_variables_and_panels_that_lie_beside_each_other() {
    for (name, variables) in [
        ("overview.json", &["datasource", "job", "instance"][..]),
        ("issuer.json", &["datasource", "job", "instance", "issuer"][..]),
    ] {
        let dashboard = dashboard(name);
        let list = dashboard["templating"]["list"].as_array().unwrap();
        assert_eq!(
            list.iter().map(|variable| variable["name"].as_str().unwrap()).collect::<Vec<_>>(),
            variables
        );
        for query in list.iter().filter_map(|variable| variable["definition"].as_str()) {
            let (metric, _) = query.strip_prefix("label_values(").unwrap().rsplit_once(", ").unwrap();
            check(metric);
        }
        let all = dashboard["panels"].as_array().unwrap();
        let ids: BTreeSet<_> = all.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
        assert_eq!(ids.len(), all.len(), "{name}");
        let mut cells = BTreeSet::new();
        for panel in all {
            let at = |side: &str| panel["gridPos"][side].as_u64().unwrap();
            assert!(at("x") + at("w") <= 24, "{panel}");
            for cell in
                (at("x")..at("x") + at("w")).flat_map(|x| (at("y")..at("y") + at("h")).map(move |y| (x, y)))
            {
                assert!(cells.insert(cell), "{name}: {} lies on another", panel["title"]);
            }
        }
    }
    assert_ne!(dashboard(DASHBOARDS[0])["uid"], dashboard(DASHBOARDS[1])["uid"]);
}

/// What panels are called.
pub(super) fn titles() -> BTreeSet<String> {
    let panels = DASHBOARDS.iter().flat_map(|name| panels(&dashboard(name)));
    panels.map(|panel| panel["title"].as_str().unwrap().to_owned()).collect()
}

fn dashboard(name: &str) -> Value {
    serde_json::from_str(&read(&deployed("grafana").join(name))).unwrap()
}

/// All but the rows, which only have titles.
fn panels(dashboard: &Value) -> Vec<Value> {
    let panels = dashboard["panels"].as_array().unwrap();
    panels.iter().filter(|panel| panel["type"] != "row").cloned().collect()
}
