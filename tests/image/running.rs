//! What the image does when it is started: as nobody, in an empty file system that it cannot write
//! to, with only what Kubernetes mounts into every Pod.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::room::{Image, image};
use crate::support::controller::next_name;
use crate::support::pods::service;
use crate::support::process::{Process, exit_code, free_port, scratch};
use crate::support::wait::SOON;
use crate::support::{Api, Stage, User, World, eventually, real};

/// Starts it and waits for its end: exit code and what it printed.
async fn run(image: &Image, arguments: &[&str]) -> (i32, String) {
    let mut process = Process::start(&next_name("image"), image.start(arguments));
    let code = exit_code(process.wait(SOON).await);
    (code, process.log())
}

#[tokio::test]
async fn version_and_help_are_printed_in_an_empty_root() {
    let Some(image) = image() else { return };
    let expected = format!("endpointslice-controller {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(run(image, &["version"]).await, (0, expected));
    let (code, help) = run(image, &["--help"]).await;
    assert_eq!(code, 0, "{help}");
    for command in ["run", "plan", "version"] {
        assert!(help.contains(command), "{help}");
    }
}

#[tokio::test]
async fn without_the_certificates_of_a_system_it_says_in_one_line_what_it_lacks() {
    let Some(image) = image() else { return };
    // No Pod, no kubeconfig, no home.
    let (code, printed) = run(image, &["run", "--metrics-bind-address=0"]).await;
    assert_eq!((code, printed.lines().count()), (1, 1), "{printed}");
    assert!(printed.starts_with("error: "), "{printed}");
    // A server over TLS, and nothing that says whom to trust: it must not panic, and go on trying.
    let flags = ["run", "--master=https://127.0.0.1:1", "--metrics-bind-address=0", "--leader-elect=false"];
    let mut process = Process::start(&next_name("image"), image.start(&flags));
    eventually("it ends, or says that it cannot reach the server", SOON, || {
        let (over, log) = (process.exited(), process.log());
        async move {
            match over {
                _ if log.contains("panicked") => panic!("{log}"),
                Some(status) if exit_code(status) == 1 && log.starts_with("error: ") => Ok(()),
                None if log.contains("trying again") => Ok(()),
                other => Err(format!("{other:?}: {log}")),
            }
        }
    })
    .await;
    println!("without certificates: {}", process.log().trim());
}

#[tokio::test]
async fn it_does_its_job_as_nobody_in_an_empty_root_that_is_read_only() {
    let Some(image) = image() else { return };
    let Some(stage) = real::exclusive().await else { return };
    let world = World::new(&stage, "image").await;
    let addresses = world.pods("web", 3, 1).await;
    world.service(service("web", "web").port("http", 80, "8080")).await;

    let port = free_port();
    let metrics = format!("--metrics-bind-address=127.0.0.1:{port}");
    let arguments: Vec<&str> = image.command.iter().map(String::as_str).chain([metrics.as_str()]).collect();
    let account = account(&stage.kubeconfig(User::Controller));
    let command = image.start_in_pod(&account, stage.cluster().address(), &arguments);
    let mut process = Process::start(&next_name("image"), command);
    world.wait_addresses("web", &addresses).await;
    let http = Api::plain(&format!("http://127.0.0.1:{port}"));
    eventually("it is ready", SOON, || async {
        http.text("/readyz").await.map_err(|error| error.to_string())
    })
    .await;
    let served = http.text("/metrics").await.expect("its metrics");
    assert!(served.contains("endpoint_slice_controller_syncs"), "{served}");

    let status = of_process(&process, "status");
    let line = |name: &str| {
        let found = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(":\t"));
        found.unwrap_or_else(|| panic!("no {name} in {status}")).trim().to_string()
    };
    assert_eq!(line("Name"), "endpointslice-c", "the process is not the program");
    for identity in ["Uid", "Gid"] {
        assert_eq!(line(identity).split_whitespace().collect::<Vec<_>>(), ["65532"; 4], "{identity}");
    }
    assert_eq!(line("Groups"), "");
    assert_eq!(line("NoNewPrivs"), "1");
    for set in ["CapInh", "CapPrm", "CapEff", "CapAmb"] {
        assert_eq!(line(set), "0000000000000000", "{set}");
    }
    // Each mount that it sees is read-only, the root first of all.
    let mounts = of_process(&process, "mountinfo");
    let seen: Vec<(&str, bool)> = mounts
        .lines()
        .map(|line| line.split(' ').collect::<Vec<_>>())
        .map(|words| (words[4], words[5].split(',').any(|option| option == "ro")))
        .collect();
    assert!(seen.contains(&("/", true)), "{mounts}");
    assert!(seen.iter().all(|(_, read_only)| *read_only), "{mounts}");
    // There is nothing in it but the program and the account's folder.
    let root = PathBuf::from(format!("/proc/{}/root", process.pid()));
    let mut names: Vec<String> = fs::read_dir(&root)
        .expect("read the root")
        .map(|child| child.expect("a child").file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    assert_eq!(names, ["endpointslice-controller", "var"]);

    // A change is followed, and it ends as it is told to.
    world.set_ready("web-1", false).await;
    world
        .wait_slices("the change is published", "web", SOON, |slices| {
            let endpoints =
                slices.iter().flat_map(|slice| slice["endpoints"].as_array().into_iter().flatten());
            let ready = endpoints.filter(|endpoint| endpoint["conditions"]["ready"] == true).count();
            if ready == 2 { Ok(()) } else { Err(format!("{slices:?}")) }
        })
        .await;
    process.signal("TERM");
    assert_eq!(exit_code(process.wait(Duration::from_secs(5)).await), 0, "{}", process.log());
    assert!(!process.log().contains("panicked"), "{}", process.log());
}

/// What the kubelet mounts for a service account, from a kubeconfig of the stage.
fn account(kubeconfig: &Path) -> PathBuf {
    let text = fs::read_to_string(kubeconfig).expect("read the kubeconfig");
    let config: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let authority = config["clusters"][0]["cluster"]["certificate-authority"].as_str().expect("a path");
    let token = config["users"][0]["user"]["token"].as_str().expect("a token");
    let folder = scratch().join("account");
    fs::create_dir_all(&folder).expect("create the folder of the account");
    fs::copy(authority, folder.join("ca.crt")).expect("copy the certificate");
    fs::write(folder.join("token"), token).expect("write the token");
    fs::write(folder.join("namespace"), "kube-system").expect("write the namespace");
    folder
}

fn of_process(process: &Process, file: &str) -> String {
    fs::read_to_string(format!("/proc/{}/{file}", process.pid())).expect("read about the process")
}
