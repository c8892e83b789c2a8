//! Grafana's JSON of the definition: places in the grid, units, legends.

use serde_json::{Map, Value, json};

use super::panels::{Kind, Panel, Row};

/// The grid is so many columns wide.
const WIDTH: u64 = 24;

pub fn dashboard(rows: &[Row]) -> Value {
    let mut panels = Vec::new();
    let mut y = 0;
    for row in rows {
        let place = json!({"x": 0, "y": y, "w": WIDTH, "h": 1});
        panels.push(json!({
            "id": panels.len() + 1, "type": "row", "title": row.title, "collapsed": false, "gridPos": place, "panels": [],
        }));
        y += 1;
        let mut x = 0;
        for panel in &row.panels {
            if x + panel.width > WIDTH {
                (x, y) = (0, y + row.height);
            }
            let place = json!({"x": x, "y": y, "w": panel.width, "h": row.height});
            panels.push(whole(panel, panels.len() + 1, &place));
            x += panel.width;
        }
        y += row.height;
    }
    json!({
        "title": "EndpointSlice controller",
        "uid": "endpointslice-controller",
        "description": "What the EndpointSlice controller does, how fast, and what hinders it.",
        "tags": ["kubernetes", "endpointslice"],
        "schemaVersion": 41,
        "version": 1,
        "editable": true,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "timezone": "",
        "annotations": {"list": [leaders()]},
        "links": [],
        "templating": {"list": [source(), job(), instance()]},
        "panels": panels,
    })
}

fn whole(panel: &Panel, id: usize, place: &Value) -> Value {
    let targets: Vec<Value> =
        panel.queries.iter().enumerate().map(|(number, query)| target(number, query)).collect();
    let (kind, options) = match panel.kind {
        Kind::Lines | Kind::Stack => (
            "timeseries",
            json!({
                "legend": {"displayMode": "list", "placement": "bottom", "showLegend": true, "calcs": []},
                "tooltip": {"mode": "multi", "sort": "desc"},
            }),
        ),
        Kind::Number | Kind::Text => (
            "stat",
            json!({
                "colorMode": "value", "graphMode": if panel.kind == Kind::Text { "none" } else { "area" },
                "justifyMode": "auto", "orientation": "auto", "wideLayout": true,
                "textMode": if panel.kind == Kind::Text { "name" } else { "value" },
                "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": false},
            }),
        ),
    };
    json!({
        "id": id, "type": kind, "title": panel.title, "description": panel.description, "gridPos": place,
        "datasource": of_source(), "targets": targets, "options": options, "fieldConfig": fields(panel),
    })
}

fn fields(panel: &Panel) -> Value {
    let mut steps = vec![json!({"color": "green", "value": null})];
    steps.extend(panel.steps.iter().map(|(value, color)| json!({"color": color, "value": value})));
    if panel.red_below_first {
        steps[0]["color"] = json!("red");
    }
    let mut defaults = Map::new();
    defaults.insert("unit".to_owned(), json!(panel.unit));
    defaults.insert("min".to_owned(), json!(0));
    defaults.insert("thresholds".to_owned(), json!({"mode": "absolute", "steps": steps}));
    if matches!(panel.kind, Kind::Lines | Kind::Stack) {
        let stack = panel.kind == Kind::Stack;
        defaults.insert("color".to_owned(), json!({"mode": "palette-classic"}));
        defaults.insert(
            "custom".to_owned(),
            json!({
                "drawStyle": "line", "lineWidth": 1, "fillOpacity": if stack { 30 } else { 10 },
                "showPoints": "never", "spanNulls": false,
                "stacking": {"group": "A", "mode": if stack { "normal" } else { "none" }},
            }),
        );
    } else {
        defaults.insert("color".to_owned(), json!({"mode": "thresholds"}));
    }
    json!({"defaults": defaults, "overrides": []})
}

fn target(number: usize, (query, legend): &(String, &str)) -> Value {
    let letter = char::from(b'A' + u8::try_from(number).expect("few queries"));
    json!({
        "refId": letter.to_string(), "datasource": of_source(), "editorMode": "code", "range": true,
        "expr": query, "legendFormat": legend,
    })
}

fn of_source() -> Value {
    json!({"type": "prometheus", "uid": "${datasource}"})
}

fn source() -> Value {
    json!({
        "name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "refresh": 1,
        "current": {}, "hide": 0, "includeAll": false, "multi": false, "options": [], "regex": "",
    })
}

fn job() -> Value {
    asked("job", "Job", "label_values(endpointslice_build_info, job)", false)
}

fn instance() -> Value {
    asked("instance", "Instance", "label_values(endpointslice_build_info{job=\"$job\"}, instance)", true)
}

fn asked(name: &str, label: &str, query: &str, several: bool) -> Value {
    let mut variable = json!({
        "name": name, "label": label, "type": "query", "datasource": of_source(), "definition": query,
        "query": {"query": query, "refId": "StandardVariableQuery"}, "refresh": 2, "sort": 1, "hide": 0,
        "includeAll": several, "multi": several, "options": [], "regex": "", "current": {},
    });
    if several {
        variable["current"] = json!({"text": ["All"], "value": ["$__all"]});
        variable["allValue"] = json!(".*");
    }
    variable
}

/// A mark where another replica took the lead.
fn leaders() -> Value {
    json!({
        "name": "Change of leaders", "datasource": of_source(), "enable": true, "hide": false, "iconColor": "purple",
        "expr": "changes(leader_election_master_status{job=\"$job\", instance=~\"$instance\"}[1m]) > 0",
        "step": "30s", "titleFormat": "leadership", "textFormat": "{{instance}}",
    })
}
