//! Values that make no sense are refused before anything is installed, by a message that names the key.

use crate::every_value::RULES;
use crate::support::helm::Helm;

/// Values, and what the message must say.
const BAD: &[(&str, &[&str])] = &[
    // By the schema.
    ("replica: 3", &["replica", "not allowed"]),
    ("replicas: two", &["/replicas", "got string, want integer"]),
    ("replicas: -1", &["/replicas", "minimum"]),
    ("image: {tag: 1.0}", &["/image/tag", "got number, want string"]),
    ("image: {digest: latest}", &["/image/digest", "does not match pattern"]),
    ("image: {pullPolicy: Sometimes}", &["/image/pullPolicy", "'Always', 'IfNotPresent', 'Never'"]),
    ("controller: {maxEndpointsPerSlice: 1001}", &["/controller/maxEndpointsPerSlice", "maximum"]),
    (
        "controller: {concurrentServiceEndpointSyncs: 0}",
        &["/controller/concurrentServiceEndpointSyncs", "minimum"],
    ),
    ("controller: {controllers: [nodes]}", &["/controller/controllers/0", "endpointslice-controller"]),
    ("controller: {minResyncPeriod: 12}", &["/controller/minResyncPeriod", "got number, want string"]),
    ("controller: {minResyncPeriod: 12 hours}", &["/controller/minResyncPeriod", "does not match pattern"]),
    ("controller: {maxEndpointPerSlice: 5}", &["/controller", "maxEndpointPerSlice"]),
    ("logging: {format: xml}", &["/logging/format", "'text', 'json'"]),
    ("metrics: {port: 70000}", &["/metrics/port", "maximum"]),
    ("metrics: {secure: true}", &["/metrics/secure", "got boolean, want object"]),
    ("commonLabels: {tier: 1}", &["/commonLabels/tier", "got number, want string"]),
    ("tolerations: {key: a}", &["/tolerations", "got object, want array"]),
    ("extraArgs: [v=2]", &["/extraArgs/0", "does not match pattern"]),
    ("extraEnv: [{value: a}]", &["/extraEnv/0", "missing property 'name'"]),
    ("flowSchemas: {matchingPrecedence: 0}", &["/flowSchemas/matchingPrecedence", "minimum"]),
    (
        "validatingAdmissionPolicy: {failurePolicy: Maybe}",
        &["/validatingAdmissionPolicy/failurePolicy", "'Fail', 'Ignore'"],
    ),
    (
        "networkPolicy: {apiServerCidrs: [192.0.2.1]}",
        &["/networkPolicy/apiServerCidrs/0", "does not match pattern"],
    ),
    // By the templates: values that do not go together.
    ("leaderElection: {enabled: false}", &["replicas: 2", "leaderElection.enabled", "fight"]),
    (
        "controller: {controllers: [-endpointslice, -endpointslicemirroring, '*']}",
        &["controller.controllers", "no loop"],
    ),
    (
        "leaderElection: {renewDeadline: 15s}",
        &["leaderElection.renewDeadline: 15s", "leaderElection.leaseDuration"],
    ),
    (
        "leaderElection: {retryPeriod: 8500ms}",
        &["leaderElection.retryPeriod: 8500ms", "leaderElection.renewDeadline"],
    ),
    ("leaderElection: {retryPeriod: 0s}", &["leaderElection.retryPeriod: 0s", "above 0s"]),
    (
        "serviceAccount: {name: endpointslice-controller}",
        &["serviceAccount.name", "kube-controller-manager's own"],
    ),
    (
        "{serviceMonitor: {enabled: true}, podMonitor: {enabled: true}}",
        &["serviceMonitor.enabled", "podMonitor.enabled", "twice"],
    ),
    (
        "{serviceMonitor: {enabled: true}, service: {enabled: false}}",
        &["serviceMonitor.enabled", "service.enabled"],
    ),
    ("{podMonitor: {enabled: true}, metrics: {enabled: false}}", &["podMonitor.enabled", "metrics.enabled"]),
    ("metrics: {host: 127.0.0.1}", &["metrics.host: 127.0.0.1", "hostNetwork"]),
    (
        "metrics: {secure: {certificateSecret: a}}",
        &["metrics.secure.certificateSecret", "metrics.secure.enabled"],
    ),
    ("dnsPolicy: None", &["dnsPolicy: None", "dnsConfig"]),
    ("podDisruptionBudget: {minAvailable: 1, maxUnavailable: 1}", &["podDisruptionBudget.minAvailable"]),
    ("strategy: {maxSurge: 0}", &["strategy.maxSurge", "strategy.maxUnavailable"]),
    ("extraArgs: [--v=4]", &["extraArgs: --v", "value of its own"]),
    ("extraArgs: ['-v4']", &["extraArgs: -v4", "value of its own"]),
    (
        "prometheusRule: {enabled: true, disabled: [Down]}",
        &["prometheusRule.disabled", "no alert Down", "OfATest"],
    ),
];

#[test]
fn bad_values_are_refused_by_a_message_that_names_the_key() {
    let Some(helm) = Helm::with_files(&[RULES]) else { return };
    let mut wrong = Vec::new();
    for (values, said) in BAD {
        match helm.text(values) {
            Ok(_) => wrong.push(format!("{values}: taken")),
            Err(refusal) => {
                let missing: Vec<&&str> = said.iter().filter(|words| !refusal.contains(**words)).collect();
                if !missing.is_empty() {
                    wrong.push(format!("{values}: {missing:?} not in\n{refusal}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_kubernetes_that_is_too_old_is_refused() {
    let Some(helm) = Helm::new() else { return };
    helm.text_of("", &["--kube-version=1.33.0"]).expect("the oldest that is taken");
    let refusal = helm.text_of("", &["--kube-version=1.32.9"]).expect_err("one that is too old");
    assert!(refusal.contains("kubeVersion: >=1.33.0-0"), "{refusal}");
}

/// The other side of the same rules.
#[test]
fn what_is_just_inside_the_limits_is_taken() {
    let Some(helm) = Helm::new() else { return };
    for values in [
        "{replicas: 1, leaderElection: {enabled: false}}",
        "{replicas: 0, leaderElection: {enabled: false}}",
        "leaderElection: {renewDeadline: 14999ms}",
        "leaderElection: {leaseDuration: 1m0.5s, renewDeadline: 1m, retryPeriod: 49s}",
        "leaderElection: {retryPeriod: 8s}",
        "controller: {controllers: [endpointslice, -endpointslice]}",
        "controller: {kubeApiQps: 0.5}",
        "{metrics: {host: 127.0.0.1}, hostNetwork: true}",
        "podDisruptionBudget: {maxUnavailable: 50%}",
        "strategy: {maxSurge: 25%, maxUnavailable: 25%}",
        "extraArgs: [--verbose-something]",
        "global: {anything: goes}",
    ] {
        helm.text(values).unwrap_or_else(|refusal| panic!("{values}: {refusal}"));
    }
}
