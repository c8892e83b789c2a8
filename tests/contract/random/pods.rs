//! Pods and what happens to their status.

use serde_json::{Value, json};

use super::Draw;

impl Draw {
    pub fn pod(&mut self, name: &str) -> Value {
        let ports = [
            json!([]),
            json!([{"name": "http", "containerPort": 8080}]),
            json!([{"containerPort": 53, "protocol": "UDP"}]),
            json!([{"name": "BAD", "containerPort": 0}]),
        ];
        let mut pod = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name},
            "spec": {"containers": [{"name": "main", "image": "example.org/app:1"}]},
        });
        if self.one_in(2) {
            pod["spec"]["containers"][0]["ports"] = self.pick(&ports);
        }
        if self.one_in(3) {
            pod["spec"]["nodeName"] = json!("{ns}-a");
        }
        if self.one_in(5) {
            pod["spec"]["hostname"] = json!(self.pick(&["web-0", "BAD"]));
            pod["spec"]["subdomain"] = json!("web");
        }
        if self.one_in(5) {
            pod["spec"]["terminationGracePeriodSeconds"] = json!(self.pick(&[0, 1, 30, 60, -1]));
        }
        if self.one_in(6) {
            pod["spec"]["readinessGates"] = json!([{"conditionType": "example.org/gate"}]);
        }
        if self.one_in(6) {
            pod["spec"]["restartPolicy"] = json!(self.pick(&["Never", "OnFailure", "Always", "Nonsense"]));
        }
        if self.one_in(8) {
            pod["spec"]["containers"][0]["resources"] =
                json!({"requests": {"cpu": "0.5", "memory": "1024Mi"}});
        }
        pod
    }

    pub fn pod_change(&mut self) -> Value {
        match self.random_below(6) {
            0 => json!({"spec": {"containers": [{"name": "main", "image": "example.org/app:2"}]}}),
            1 => json!({"spec": {"nodeName": "{ns}-b"}}),
            2 => json!({"spec": {"activeDeadlineSeconds": self.pick(&[60, 30, 90, 0])}}),
            3 => json!({"spec": {"tolerations": [{"key": "a", "operator": "Exists"}]}}),
            4 => json!({"spec": {"hostname": "other"}}),
            _ => json!({"metadata": {"labels": {"pod-template-hash": self.pick(&["1", "2"])}}}),
        }
    }

    pub fn pod_status(&mut self) -> Value {
        let mut status = json!({});
        if self.one_in(2) {
            status["phase"] = json!(self.pick(&["Running", "Pending", "Succeeded", "Failed", "Unknown"]));
        }
        if !self.one_in(3) {
            let mut condition = json!({"type": self.pick(&["Ready", "ContainersReady"]), "status": self.pick(&["True", "False", "Unknown", "Perhaps"])});
            if self.one_in(2) {
                condition["lastTransitionTime"] = json!("2024-01-02T03:04:05Z");
            }
            status["conditions"] = json!([condition]);
        }
        if self.one_in(2) {
            let ips = [
                json!([{"ip": "192.0.2.1"}]),
                json!([{"ip": "192.0.2.1"}, {"ip": "fd00::1"}]),
                json!([{"ip": "fd00::2"}]),
                json!([{"ip": "192.0.2.1"}, {"ip": "192.0.2.2"}]),
                json!([{"ip": "nonsense"}]),
            ];
            let ips = self.pick(&ips);
            status["podIP"] = ips[0]["ip"].clone();
            if !self.one_in(4) {
                status["podIPs"] = ips;
            }
        }
        status
    }
}
