//! What is shipped for taking over: the static Pod, the overlay for control-plane nodes, the component for
//! leader migration, and the configurations of kubeadm and kind. Each is judged by who will read it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::manager::{BOTH_OFF, MIGRATION};
use crate::support::api::Api;
use crate::support::controller::next_name;
use crate::support::pods::{endpoints, service, service_without_selector};
use crate::support::process::{Process, free_port, scratch};
use crate::support::real::{RealStage, judge, programs};
use crate::support::wait::SOON;
use crate::support::{Stage, User, World, eventually, real};

fn shipped(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests").join(path)
}

fn documents(text: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(text).expect("YAML")
}

fn read(path: &str) -> Vec<Value> {
    documents(&std::fs::read_to_string(shipped(path)).expect("read a manifest"))
}

fn one<'a>(objects: &'a [Value], kind: &str) -> &'a Value {
    let mut of_kind = objects.iter().filter(|object| object["kind"] == kind);
    let first = of_kind.next().unwrap_or_else(|| panic!("no {kind}"));
    assert!(of_kind.next().is_none(), "several of {kind}");
    first
}

/// Runs a program to its end, which is to be a good one.
fn run(command: &mut Command) -> String {
    let output = command.output().expect("run a program");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{command:?}: {}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

fn kubectl() -> Command {
    Command::new(programs().expect("a stage was lent, so the programs are there").path("kubectl"))
}

fn admin(stage: &RealStage) -> Command {
    let mut command = kubectl();
    command.arg(format!("--kubeconfig={}", stage.kubeconfig(User::Admin).display()));
    command
}

fn strings(value: &Value) -> Vec<String> {
    let all = value.as_array().expect("a list").iter();
    all.map(|text| text.as_str().expect("a text").to_string()).collect()
}

/// The kubeconfig of somebody who is known by name only, as by the name in a client certificate.
fn kubeconfig_of(stage: &RealStage, user: &str) -> PathBuf {
    let text = std::fs::read_to_string(stage.kubeconfig(User::Admin)).expect("read the kubeconfig");
    let mut config: Value = serde_json::from_str(&text).expect("the kubeconfigs of a stage are JSON");
    config["users"][0]["user"]["as"] = json!(user);
    let path = scratch().join(format!("{user}.kubeconfig"));
    std::fs::write(&path, config.to_string()).expect("write the kubeconfig");
    path
}

/// The arguments of a container, with some flags of the place replaced: what does not fit is a failure.
fn arguments(container: &Value, replaced: &[(&str, String)]) -> Vec<String> {
    let mut arguments = strings(&container["args"]);
    for (flag, value) in replaced {
        let place = arguments.iter().position(|argument| argument.starts_with(&format!("{flag}=")));
        arguments[place.unwrap_or_else(|| panic!("{flag} is not given"))] = format!("{flag}={value}");
    }
    arguments
}

/// A Service of each loop; waits until both have their slices.
async fn whole_job(stage: &RealStage) {
    let world = World::new(stage, "job").await;
    let addresses = world.pods("web", 3, 1).await;
    world.service(service("web", "web").port("http", 80, "8080")).await;
    world.service(service_without_selector("ext").port("http", 80, "80")).await;
    let subsets = json!([{"addresses": [{"ip": "192.0.2.7"}], "ports": [{"name": "http", "port": 80}]}]);
    world.endpoints(endpoints("ext", subsets)).await;
    world.wait_addresses("web", &addresses).await;
    world.wait_addresses("ext", &["192.0.2.7".to_string()]).await;
}

#[tokio::test]
async fn the_static_pod_is_valid_and_its_command_line_does_the_whole_job_as_its_user() {
    let Some(stage) = real::exclusive().await else { return };
    let file = shipped("static-pod/endpointslice-controller.yaml");
    run(admin(&stage).args(["create", "--dry-run=server", "--validate=strict", "-f"]).arg(&file));
    let access = shipped("static-pod/access.yaml");
    run(admin(&stage).args(["apply", "--server-side", "--validate=strict", "-f"]).arg(&access));

    let pod = read("static-pod/endpointslice-controller.yaml").remove(0);
    let (spec, container) = (&pod["spec"], &pod["spec"]["containers"][0]);
    assert_eq!((&spec["hostNetwork"], &spec["dnsPolicy"]), (&json!(true), &json!("Default")));
    assert!(spec["serviceAccountName"].is_null(), "a static Pod cannot have one");
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(container["image"], format!("endpointslice-controller:{version}"));
    // The file that it reads is the one of the node.
    let path = "/etc/kubernetes/endpointslice-controller.conf";
    assert!(strings(&container["args"]).contains(&format!("--kubeconfig={path}")));
    assert_eq!(container["volumeMounts"][0]["mountPath"], path);
    assert_eq!(spec["volumes"][0]["hostPath"], json!({"path": path, "type": "File"}));

    let user = one(&read("static-pod/access.yaml"), "ClusterRoleBinding")["subjects"][0]["name"].clone();
    let kubeconfig = kubeconfig_of(&stage, user.as_str().expect("a name"));
    let port = free_port();
    let replaced = [
        ("--kubeconfig", kubeconfig.display().to_string()),
        ("--metrics-bind-address", format!("127.0.0.1:{port}")),
    ];
    let mut command = Command::new(env!("CARGO_BIN_EXE_endpointslice-controller"));
    command.args(arguments(container, &replaced));
    let _process = Process::start(&next_name("static"), command);
    for probe in ["livenessProbe", "readinessProbe"] {
        let get = &container[probe]["httpGet"];
        assert_eq!((&get["host"], &get["port"]), (&json!("127.0.0.1"), &json!("metrics")));
        let api = Api::plain(&format!("http://127.0.0.1:{port}"));
        let path = get["path"].as_str().expect("a path");
        eventually(probe, SOON, || async { api.text(path).await.map_err(|error| error.to_string()) }).await;
    }
    whole_job(&stage).await;
    let lease = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/endpointslice-controller";
    assert!(stage.api().get(lease).await.expect("the Lease")["spec"]["holderIdentity"].is_string());
    run(admin(&stage).arg("delete").arg("-f").arg(&access));
}

#[tokio::test]
async fn the_overlay_for_control_plane_nodes_is_valid_and_its_command_line_does_the_whole_job() {
    let Some(stage) = real::exclusive().await else { return };
    let text = run(kubectl().arg("kustomize").arg(shipped("overlays/control-plane")));
    let file = scratch().join("control-plane.yaml");
    std::fs::write(&file, &text).expect("write the overlay");
    run(admin(&stage)
        .args(["apply", "--server-side", "--validate=strict", "--dry-run=server", "-f"])
        .arg(&file));

    let objects = documents(&text);
    let pod = &one(&objects, "Deployment")["spec"]["template"]["spec"];
    assert_eq!((&pod["hostNetwork"], &pod["dnsPolicy"]), (&json!(true), &json!("Default")));
    assert_eq!(pod["nodeSelector"]["node-role.kubernetes.io/control-plane"], "");
    for (taint, effect) in [
        ("node-role.kubernetes.io/control-plane", "NoSchedule"),
        ("node.kubernetes.io/not-ready", "NoSchedule"),
        ("node.kubernetes.io/unreachable", "NoSchedule"),
        ("node.kubernetes.io/network-unavailable", "NoSchedule"),
        ("node.cloudprovider.kubernetes.io/uninitialized", "NoSchedule"),
        ("node.kubernetes.io/not-ready", "NoExecute"),
        ("node.kubernetes.io/unreachable", "NoExecute"),
    ] {
        let toleration = json!({"key": taint, "operator": "Exists", "effect": effect});
        assert!(pod["tolerations"].as_array().expect("a list").contains(&toleration), "{toleration}");
    }
    let container = &pod["containers"][0];
    let environment = container["env"].as_array().expect("a list");
    assert_eq!(environment[0]["valueFrom"]["fieldRef"]["fieldPath"], "status.hostIP");
    // The port of the probes is the one that is served.
    let port = container["ports"][0]["containerPort"].as_u64().expect("a port");
    assert!(strings(&container["args"]).contains(&format!("--metrics-bind-address=[::]:{port}")));

    let mut command = Command::new(env!("CARGO_BIN_EXE_endpointslice-controller"));
    let free = free_port();
    let replaced = [("--metrics-bind-address", format!("127.0.0.1:{free}"))];
    command.args(arguments(container, &replaced));
    command.arg(format!("--kubeconfig={}", stage.kubeconfig(User::Controller).display()));
    let _process = Process::start(&next_name("overlay"), command);
    whole_job(&stage).await;
}

#[test]
fn the_component_for_leader_migration_competes_for_the_lease_that_the_configuration_names() {
    let Some(programs) = programs() else { return };
    let folder = scratch().join("leader-migration");
    std::fs::create_dir_all(&folder).expect("make a folder");
    // kustomize wants paths that are relative.
    let up: String = folder.components().skip(1).map(|_| "../").collect();
    let path = |path: &str| format!("{up}{}", shipped(path).display().to_string().trim_start_matches('/'));
    let kustomization = json!({
        "apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization",
        "resources": [path("overlays/control-plane")], "components": [path("components/leader-migration")],
    });
    std::fs::write(folder.join("kustomization.yaml"), kustomization.to_string()).expect("write it");
    let objects = documents(&run(Command::new(programs.path("kubectl")).arg("kustomize").arg(&folder)));
    let container = &one(&objects, "Deployment")["spec"]["template"]["spec"]["containers"][0];
    let flag = format!("--leader-elect-resource-name={MIGRATION}");
    assert!(strings(&container["args"]).contains(&flag), "{container}");
    assert_eq!(read("components/leader-migration/leader-migration.yaml")[0]["leaderName"], MIGRATION);
    let allowed = objects.iter().any(|object| {
        object["kind"] == "Role" && object["rules"].to_string().contains(&format!("[\"{MIGRATION}\"]"))
    });
    assert!(allowed, "no Role names {MIGRATION}");
}

/// The static Pod that kubeadm makes of a configuration for kube-controller-manager.
fn kubeadm(program: &Path, file: &str) -> Value {
    let folder = scratch().join(next_name("kubeadm"));
    std::fs::create_dir_all(&folder).expect("make a folder");
    let mut config = read(file).remove(0);
    // Else it asks the internet for the newest.
    config["kubernetesVersion"] = json!("v1.36.3");
    let path = folder.join("config.json");
    std::fs::write(&path, config.to_string()).expect("write the configuration");
    run(Command::new(program).args(["config", "validate", "--config"]).arg(&path));
    let made = "kube-controller-manager.yaml";
    run(Command::new(program)
        .env("KUBEADM_INIT_DRYRUN_DIR", &folder)
        .args(["init", "phase", "control-plane", "controller-manager", "--dry-run", "--config"])
        .arg(&path));
    let text = std::fs::read_to_string(folder.join(made)).expect("the manifest that kubeadm made");
    documents(&text).remove(0)
}

#[test]
fn kubeadm_starts_kube_controller_manager_as_the_configurations_say() {
    let Some(program) = judge("kubeadm") else { return };
    // With exactly this flag the hand-over by flags was tried.
    let pod = kubeadm(&program, "kubeadm/loops-off.yaml");
    let command = strings(&pod["spec"]["containers"][0]["command"]);
    let controllers: Vec<&String> =
        command.iter().filter(|flag| flag.starts_with("--controllers=")).collect();
    assert_eq!(controllers, [BOTH_OFF]);

    let pod = kubeadm(&program, "kubeadm/leader-migration.yaml");
    let container = &pod["spec"]["containers"][0];
    let command = strings(&container["command"]);
    let file = "/etc/kubernetes/endpointslice-migration.yaml";
    assert!(command.contains(&"--enable-leader-migration=true".to_string()), "{command:?}");
    assert!(command.contains(&format!("--leader-migration-config={file}")), "{command:?}");
    let mounts = container["volumeMounts"].as_array().expect("a list");
    assert!(mounts.iter().any(|mount| mount["mountPath"] == file), "{mounts:?}");

    // kind has its own way to say the same.
    let patches = strings(&read("kind/cluster.yaml")[0]["kubeadmConfigPatches"]);
    let patch = documents(&patches[0]).remove(0);
    let flag = &patch["controllerManager"]["extraArgs"]["controllers"];
    assert_eq!(format!("--controllers={}", flag.as_str().unwrap_or_default()), BOTH_OFF);
    assert_eq!(patch["kind"], "ClusterConfiguration");
}

/// Every (group, resource, verb) that the cluster roles of a file grant.
fn granted(path: &str) -> BTreeSet<(String, String, String)> {
    let roles = read(path).into_iter().filter(|object| object["kind"] == "ClusterRole");
    let rules = roles.flat_map(|role| role["rules"].as_array().cloned().unwrap_or_default());
    let each = |rule: Value| {
        let [groups, resources, verbs] = ["apiGroups", "resources", "verbs"].map(|list| strings(&rule[list]));
        let mut all = Vec::new();
        for group in &groups {
            for resource in &resources {
                all.extend(verbs.iter().map(|verb| (group.clone(), resource.clone(), verb.clone())));
            }
        }
        all
    };
    rules.flat_map(each).collect()
}

#[test]
fn the_user_of_the_static_pod_may_do_what_the_service_account_may_and_no_more() {
    let user = granted("static-pod/access.yaml");
    assert!(user.len() > 20, "{user:?}");
    assert_eq!(user, granted("base/rbac.yaml"));
}
