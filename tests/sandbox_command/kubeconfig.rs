//! The kubeconfig file.

use std::os::unix::fs::PermissionsExt;

use endpointslice_controller::cli::sandbox::kubeconfig::KubeconfigFile;

use crate::support::process::scratch;

const SERVER: &str = "kind: Config\nserver: http://127.0.0.1:6443\n";

#[test]
fn only_its_owner_may_read_it_and_it_goes_with_the_sandbox() {
    let path = scratch().join("own.kubeconfig");
    let file = KubeconfigFile::write(Some(&path), SERVER).unwrap();
    assert_eq!(file.path(), path);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains("server: http://127.0.0.1:6443\n"), "{text}");
    drop(file);
    assert!(!path.exists());
}

#[test]
fn a_file_of_somebody_else_is_left_alone() {
    let path = scratch().join("other.kubeconfig");
    std::fs::write(&path, "apiVersion: v1\n").unwrap();
    let error = KubeconfigFile::write(Some(&path), SERVER).unwrap_err().to_string();
    assert!(error.contains("--kubeconfig-out") && error.contains("expected a name that is free"), "{error}");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "apiVersion: v1\n");
}

#[test]
fn one_that_a_killed_sandbox_left_is_written_over_and_one_that_was_replaced_stays() {
    let path = scratch().join("left.kubeconfig");
    std::mem::forget(KubeconfigFile::write(Some(&path), SERVER).unwrap());
    let file = KubeconfigFile::write(Some(&path), "kind: Config\n").unwrap();
    std::fs::write(&path, "mine now").unwrap();
    drop(file);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine now");
}

#[test]
fn a_folder_that_is_not_there_is_named() {
    let path = scratch().join("nowhere/k");
    let error = format!("{:#}", KubeconfigFile::write(Some(&path), SERVER).unwrap_err());
    assert!(error.contains("nowhere/k") && error.contains("No such file"), "{error}");
}
