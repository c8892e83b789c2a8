//! What is wrong from outside: kubeconfigs, certificates, permissions, objects, policies. Each gets one
//! clear message and stops nothing else; where it can pass, it passes without a restart.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::pods::{pod, service};
use crate::support::process::scratch;
use crate::support::wait::SOON;
use crate::support::{Consumer, Controller, Fault, Proxy, Stage, User, World, eventually, real};

const A_SECOND: Duration = Duration::from_secs(1);
const AT_ONCE: Duration = Duration::from_secs(5);
/// Longer than the longest pause of a stream that was refused.
const RECOVERED: Duration = Duration::from_secs(45);
const BINDINGS: &str = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings";
const POLICIES: &str = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies";
const POLICY_BINDINGS: &str = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings";

fn file(text: &str) -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(1);
    let path = scratch().join(format!("bad-{}.kubeconfig", NEXT.fetch_add(1, Ordering::Relaxed)));
    std::fs::write(&path, text).expect("write a kubeconfig");
    path
}

fn kubeconfig(server: &str, cluster: Value, user: Value) -> Value {
    let mut cluster = cluster;
    cluster["server"] = json!(server);
    json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "here",
        "clusters": [{"name": "stage", "cluster": cluster}],
        "users": [{"name": "me", "user": user}],
        "contexts": [{"name": "here", "context": {"cluster": "stage", "user": "me"}}],
    })
}

/// Starts with this kubeconfig, which must end it with code 1 and one sentence that has all of these words.
async fn refused(kubeconfig: &Path, words: &[&str]) {
    let mut controller = Controller::launch_with(kubeconfig, &[]);
    let code = controller.exit(Duration::from_secs(15)).await;
    let log = controller.log();
    assert_eq!(code, 1, "{log}");
    assert_eq!(log.lines().count(), 1, "one sentence: {log}");
    for word in words.iter().chain(&["error: "]) {
        assert!(log.contains(word), "{word:?} is not in: {log}");
    }
}

#[tokio::test]
async fn a_kubeconfig_that_cannot_be_used_is_one_sentence_and_exit_code_1() {
    let missing = scratch().join("not-there.kubeconfig");
    refused(&missing, &["not-there.kubeconfig", "No such file"]).await;
    refused(&file("clusters: [}"), &["bad-", "not valid"]).await;
    refused(&file("just words"), &["bad-", "not valid"]).await;
    let mut config = kubeconfig("https://127.0.0.1:1", json!({}), json!({}));
    config["current-context"] = json!("there");
    refused(&file(&config.to_string()), &["current-context", "\"there\"", "here"]).await;
    config["current-context"] = json!("");
    refused(&file(&config.to_string()), &["current-context", "here"]).await;
    config["current-context"] = json!("here");
    config["contexts"][0]["context"]["cluster"] = json!("elsewhere");
    refused(&file(&config.to_string()), &["cluster", "\"elsewhere\""]).await;
    let nonsense = kubeconfig("not a url", json!({}), json!({}));
    refused(&file(&nonsense.to_string()), &["not a url", "https://host:port"]).await;
    let no_authority = json!({"certificate-authority": "/not/there/ca.crt"});
    let config = kubeconfig("https://127.0.0.1:1", no_authority, json!({}));
    refused(&file(&config.to_string()), &["/not/there/ca.crt"]).await;
    let config = kubeconfig("https://127.0.0.1:1", json!({}), json!({"tokenFile": "/not/there/token"}));
    refused(&file(&config.to_string()), &["/not/there/token"]).await;
}

#[tokio::test]
async fn a_token_and_certificates_that_are_no_good_are_told_apart() {
    let Some(stage) = real::served().await else { return };
    let good: Value = serde_json::from_str(
        &std::fs::read_to_string(stage.kubeconfig(User::Controller)).expect("read a kubeconfig"),
    )
    .expect("a kubeconfig in JSON");
    let server = good["clusters"][0]["cluster"]["server"].as_str().expect("a server");
    let trusted = json!({"certificate-authority": good["clusters"][0]["cluster"]["certificate-authority"]});

    let unknown = kubeconfig(server, trusted.clone(), json!({"token": "nobody-knows-this"}));
    refused(&file(&unknown.to_string()), &["401", server]).await;
    let (certificate, key) = stage.cluster().expired_certificate();
    let expired = json!({"client-certificate": certificate, "client-key": key});
    let expired = kubeconfig(server, trusted, expired);
    refused(&file(&expired.to_string()), &["401", "expired", server]).await;
    let untrusted = kubeconfig(server, json!({}), json!({"token": "controller-token"}));
    refused(&file(&untrusted.to_string()), &["TLS", server]).await;
}

#[tokio::test]
async fn an_api_server_whose_certificate_has_expired_is_not_spoken_to() {
    let mut certificate = rcgen::CertificateParams::new(["127.0.0.1".to_string()]).expect("a name");
    certificate.not_before = rcgen::date_time_ymd(2020, 1, 1);
    certificate.not_after = rcgen::date_time_ymd(2021, 1, 1);
    let key = rcgen::KeyPair::generate().expect("make a key");
    let signed = certificate.self_signed(&key).expect("sign a certificate");
    let authority = file(&signed.pem());
    let key = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("TLS versions")
        .with_no_client_auth()
        .with_single_cert(vec![signed.der().clone()], key)
        .expect("a certificate for a server");
    let acceptor = tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("bind a port on loopback");
    let server = format!("https://{}", listener.local_addr().expect("the bound address"));
    let serving = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let _ = acceptor.accept(stream).await;
        }
    });
    let config = kubeconfig(&server, json!({"certificate-authority": authority}), json!({"token": "t"}));
    refused(&file(&config.to_string()), &["TLS", "xpired", &server]).await;
    serving.abort();
}

#[tokio::test]
async fn an_api_server_that_is_not_there_yet_is_waited_for_with_one_message() {
    let gone = crate::support::process::free_port();
    let config = kubeconfig(&format!("https://127.0.0.1:{gone}"), json!({}), json!({"token": "t"}));
    let controller = Controller::launch_with(&file(&config.to_string()), &[]);
    eventually("it says so", AT_ONCE, || async {
        if controller.log().contains("cannot be reached") { Ok(()) } else { Err(controller.log()) }
    })
    .await;
    // Alive while it waits, but not ready; two more tries say nothing new.
    assert!(controller.http().text("/livez").await.is_ok());
    assert_eq!(controller.http().text("/readyz").await.map_err(|e| e.code), Err(500));
    eventually("it tries again", AT_ONCE * 2, || async {
        let tries = controller.metrics().await.sum("rest_client_requests_total", &[("method", "GET")]);
        if tries >= 3.0 { Ok(()) } else { Err(format!("{tries} tries")) }
    })
    .await;
    assert_eq!(controller.log().lines().count(), 1, "{}", controller.log());
    assert_eq!(controller.terminate(A_SECOND).await, 0);
}

/// Binds [`User::Nobody`] to the roles of the shipped manifest, or takes them back.
async fn grant(stage: &dyn Stage, given: bool) {
    for role in ["endpointslice-controller-selector", "endpointslice-controller-mirroring"] {
        let name = format!("test-nobody-{role}");
        if !given {
            stage.api().delete(&format!("{BINDINGS}/{name}")).await.expect("take a role back");
            continue;
        }
        let binding = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
            "metadata": {"name": name},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "nobody"}],
        });
        stage.api().create(BINDINGS, &binding).await.expect("grant a role");
    }
}

/// How many lines of the log have all of these words.
fn lines(controller: &Controller, words: &[&str]) -> usize {
    controller.log().lines().filter(|line| words.iter().all(|word| line.contains(word))).count()
}

#[tokio::test]
async fn without_permissions_it_says_which_and_goes_on_when_they_are_granted() {
    let Some(stage) = real::exclusive().await else { return };
    let world = World::new(&stage, "denied").await;
    let addresses = world.pods("web", 3, 1).await;
    world.service(service("web", "web").port("http", 80, "8080")).await;
    let controller = Controller::launch_with(&stage.kubeconfig(User::Nobody), &[]);
    eventually("it was refused three times", SOON, || async {
        let metrics = controller.metrics().await;
        let refused = metrics.sum("rest_client_requests_total", &[("code", "403")]);
        if refused >= 3.0 { Ok(()) } else { Err(format!("{refused} times")) }
    })
    .await;
    assert_eq!(lines(&controller, &["cannot list endpointslices", "403", "grant the verb"]), 1);
    assert!(lines(&controller, &[]) <= 6, "each thing once: {}", controller.log());
    assert!(controller.http().text("/livez").await.is_ok());
    assert_eq!(controller.http().text("/readyz").await.map_err(|e| e.code), Err(500));

    grant(&stage, true).await;
    controller.ready().await;
    world.wait_addresses("web", &addresses).await;
    assert_eq!(lines(&controller, &["endpointslices works again"]), 1, "{}", controller.log());
    assert_eq!(controller.terminate(A_SECOND).await, 0);
}

#[tokio::test]
async fn permissions_that_are_withdrawn_cost_one_message_and_come_back_without_a_restart() {
    let Some(stage) = real::exclusive().await else { return };
    let world = World::new(&stage, "withdrawn").await;
    let mut addresses = world.pods("web", 3, 1).await;
    for number in 0..20 {
        world.service(service(&format!("web-{number}"), "web").port("http", 80, "8080")).await;
    }
    grant(&stage, true).await;
    let proxy = Proxy::before(&stage).await;
    let mut controller = Controller::launch_with(&proxy.kubeconfig(&stage, User::Nobody), &[]);
    controller.ready().await;
    controller.settled().await;
    let consumer = Consumer::follow(&world).await;
    consumer.promise("web-0", &addresses, &[Some("http")]);
    assert_eq!(lines(&controller, &[]), 0, "{}", controller.log());

    // Watches that are open go on; writes are refused.
    grant(&stage, false).await;
    let node = world.node_name("node");
    world.pod(pod("late", "web", "10.1.9.1").on(&node)).await;
    addresses.push("10.1.9.1".to_string());
    eventually("writes were refused twenty times and more", SOON, || async {
        let metrics = controller.metrics().await;
        let refused = metrics.sum("rest_client_requests_total", &[("code", "403"), ("method", "PUT")]);
        if refused >= 40.0 { Ok(()) } else { Err(format!("{refused} times")) }
    })
    .await;
    assert_eq!(lines(&controller, &["cannot update endpointslices", "grant the verb"]), 1);
    assert!(lines(&controller, &["cannot create events"]) <= 1);
    assert!(lines(&controller, &["Event was not delivered"]) <= 1);
    assert!(lines(&controller, &[]) <= 3, "{}", controller.log());

    // Watches are cut, and refused when they are opened again.
    proxy.present(Fault::Reset);
    eventually("the watches were refused", SOON, || async {
        let refused = lines(&controller, &["cannot watch", "403", "grant the verb"]);
        if refused >= 6 { Ok(()) } else { Err(controller.log()) }
    })
    .await;
    world.delete("pods", "web-2").await;
    consumer.release("web-0", &addresses[2..3]);
    addresses.remove(2);

    grant(&stage, true).await;
    eventually("all Services are right again", RECOVERED * 2, || async {
        for number in 0..20 {
            let name = format!("web-{number}");
            let found = world.published(&name).await;
            let right = found.len() == 3 && found.iter().all(|p| addresses.contains(&p.address));
            if !right {
                return Err(format!("{name}: {found:?}"));
            }
        }
        Ok(())
    })
    .await;
    consumer.quiet(A_SECOND, SOON).await;
    consumer.assert_never_absent();
    assert!(lines(&controller, &["works again"]) >= 7, "{}", controller.log());
    assert!(lines(&controller, &[]) < 40, "{}", controller.log());
    assert!(controller.process_mut().exited().is_none());
}

#[tokio::test]
async fn a_policy_that_refuses_one_service_stops_no_other_and_is_tried_again_with_patience() {
    let Some(stage) = real::exclusive().await else { return };
    let world = World::new(&stage, "policy").await;
    let addresses = world.pods("web", 3, 1).await;
    let expression = "object.metadata.labels['kubernetes.io/service-name'] != 'refused'";
    let policy = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": "test-slices"},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {"resourceRules": [{
                "apiGroups": ["discovery.k8s.io"], "apiVersions": ["v1"], "resources": ["endpointslices"],
                "operations": ["CREATE", "UPDATE"]}]},
            "validations": [{"expression": expression, "message": "this Service may have no slices"}],
        },
    });
    let binding = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": "test-slices"},
        "spec": {"policyName": "test-slices", "validationActions": ["Deny"]},
    });
    stage.api().create(POLICIES, &policy).await.expect("make a policy");
    stage.api().create(POLICY_BINDINGS, &binding).await.expect("bind the policy");
    let probe = json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice", "addressType": "IPv4", "endpoints": [],
        "metadata": {"name": "probe", "labels": {"kubernetes.io/service-name": "refused"}},
    });
    let dry = format!("{}?dryRun=All", world.path("endpointslices"));
    eventually("the policy is in force", SOON, || async {
        match stage.api().create(&dry, &probe).await {
            Ok(_) => Err("not yet".to_string()),
            Err(_) => Ok(()),
        }
    })
    .await;

    let controller = Controller::start(&stage, &[]).await;
    for name in ["refused", "before", "after"] {
        world.service(service(name, "web").port("http", 80, "8080")).await;
    }
    world.wait_addresses("before", &addresses).await;
    world.wait_addresses("after", &addresses).await;
    let refusals = || async {
        let metrics = controller.metrics().await;
        metrics.sum("rest_client_requests_total", &[("code", "422"), ("method", "POST")])
            + metrics.sum("rest_client_requests_total", &[("code", "403"), ("method", "POST")])
    };
    eventually("the slice was refused three times", SOON, || async {
        let refused = refusals().await;
        if refused >= 3.0 { Ok(()) } else { Err(format!("{refused} times")) }
    })
    .await;
    // 1, 2 and 4 seconds with jitter: by now there cannot have been many.
    let refused = refusals().await;
    assert!(refused <= 6.0, "refused {refused} times: a hot loop");
    assert!(world.slices("refused").await.is_empty());
    let events = stage.api().list(&world.path("events")).await.expect("list Events");
    let told: Vec<&Value> = events
        .iter()
        .filter(|event| event["reason"] == "FailedToUpdateEndpointSlices")
        .filter(|event| event["involvedObject"]["name"] == "refused")
        .collect();
    assert_eq!(told.len(), 1, "one Event that is counted up: {told:#?}");
    assert!(told[0]["message"].to_string().contains("this Service may have no slices"));

    stage.api().delete(&format!("{POLICY_BINDINGS}/test-slices")).await.expect("take the binding away");
    stage.api().delete(&format!("{POLICIES}/test-slices")).await.expect("take the policy away");
    eventually("the slice is made", RECOVERED, || async {
        let published = world.published("refused").await.len();
        if published == addresses.len() { Ok(()) } else { Err(format!("{published} addresses")) }
    })
    .await;
}

#[tokio::test]
async fn pods_without_a_node_and_ports_that_no_container_has_do_not_stop_the_rest() {
    let Some(stage) = real::served().await else { return };
    let world = World::new(&stage, "odd").await;
    let addresses = world.pods("web", 2, 1).await;
    world.pod(pod("floating", "web", "10.1.8.1")).await;
    world.pod(pod("stray", "web", "10.1.8.2").on("no-such-node")).await;
    world.service(service("web", "web").port("http", 80, "8080").port("missing", 81, "no-such-port")).await;
    world.service(service("portless", "web").port("missing", 81, "no-such-port")).await;
    world.wait_addresses("web", &addresses).await;
    world.wait_addresses("portless", &addresses).await;
    let ports: Vec<Option<String>> = world.published("web").await.into_iter().map(|p| p.port).collect();
    assert_eq!(ports, [Some("http".to_string()), Some("http".to_string())]);
    assert!(world.published("portless").await.iter().all(|p| p.port.is_none()));
}
