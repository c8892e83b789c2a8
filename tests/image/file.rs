//! What is in the image: one file that needs nothing of a system and says what it was made of.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::dockerfile::{self, Step};
use crate::elf::Elf;
use crate::room::{Image, image};

const MOST_BYTES: u64 = 15_000_000;

fn elf(image: &Image) -> Elf {
    Elf::new(fs::read(image.program()).expect("read the program"))
}

#[test]
fn the_base_image_is_named_by_its_digest_and_has_the_compiler_of_cargo_toml() {
    let stages = dockerfile::read();
    let base = &stages[0].base;
    let (tag, digest) = base.split_once("@sha256:").expect("a digest");
    assert!(digest.len() == 64 && digest.chars().all(|c| c.is_ascii_hexdigit()), "{digest}");
    let manifest = fs::read_to_string(root().join("Cargo.toml")).expect("read Cargo.toml");
    let version = manifest.lines().find_map(|line| line.strip_prefix("rust-version = \"")?.strip_suffix('"'));
    let version = version.expect("a rust-version");
    assert!(tag.contains(&format!("/rust:{version}.")), "{tag} is not Rust {version}");
    assert_eq!(stages.last().expect("a stage").base, "scratch");
}

#[test]
fn the_engine_is_sent_what_the_build_stage_copies_and_nothing_else() {
    let ignored = fs::read_to_string(root().join(".dockerignore")).expect("read .dockerignore");
    let mut lines = ignored.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    assert_eq!(lines.next(), Some("*"), "everything is left out first");
    let mut sent: Vec<&str> = lines.map(|line| line.strip_prefix('!').expect("an exception")).collect();
    let stages = dockerfile::read();
    let mut copied: Vec<&str> = Vec::new();
    for step in stages.iter().flat_map(|stage| &stage.steps) {
        if let Step::Copy { from: None, sources, .. } = step {
            copied.extend(sources.iter().map(String::as_str));
        }
    }
    sent.sort();
    copied.sort();
    assert_eq!(sent, copied);
}

#[test]
fn the_image_is_one_static_program_below_15_mb() {
    let Some(image) = image() else { return };
    assert_eq!(image.files.len(), 1, "{:?}", image.files);
    let size = fs::metadata(image.program()).expect("its size").len();
    println!("the program has {size} bytes");
    assert!(size < MOST_BYTES, "{size} bytes");
    let elf = elf(image);
    assert_eq!(elf.machine(), 62);
    assert!(!elf.has_interpreter(), "it asks for a dynamic loader");
    assert_eq!(elf.libraries(), 0, "it asks for libraries");
}

#[test]
fn elf_reading_tells_a_dynamic_program_from_a_static_one() {
    let here = Elf::new(fs::read("/proc/self/exe").expect("read this test"));
    assert!(here.has_interpreter() && here.libraries() > 0 && here.section(".text").is_some());
    assert!(here.section(".dep-v0").is_none());
}

#[test]
fn the_program_carries_its_dependencies_for_scanners() {
    let Some(image) = image() else { return };
    let elf = elf(image);
    let packed = elf.section(".dep-v0").expect("the section of cargo auditable");
    let text = miniz_oxide::inflate::decompress_to_vec_zlib(packed).expect("zlib");
    let list: Value = serde_json::from_slice(&text).expect("JSON");
    let packages = list["packages"].as_array().expect("a list");
    let locked = locked();
    for package in packages {
        let (name, version) = (text_of(package, "name"), text_of(package, "version"));
        assert!(locked.contains(&(name.clone(), version.clone())), "{name} {version} is not in Cargo.lock");
    }
    let versions: BTreeMap<String, String> =
        packages.iter().map(|package| (text_of(package, "name"), text_of(package, "version"))).collect();
    assert_eq!(versions.get("endpointslice-controller").map(String::as_str), Some(env!("CARGO_PKG_VERSION")));
    for name in ["kube-client", "rustls", "ring", "tokio", "hyper"] {
        assert!(versions.contains_key(name), "{name} is missing: {:?}", versions.keys());
    }
    println!("{} packages are listed in the program", packages.len());
}

#[test]
fn dependencies_are_built_in_a_layer_of_their_own() {
    let Some(image) = image() else { return };
    let builds: Vec<&String> = image.logs.iter().filter(|log| log.contains("Finished `release`")).collect();
    let [.., dependencies, program] = builds[..] else { panic!("two cargo steps") };
    let compiled = |log: &str| log.lines().filter(|line| line.trim_start().starts_with("Compiling")).count();
    assert!(compiled(dependencies) > 50, "{dependencies}");
    assert_eq!(compiled(program), 1, "the last step builds more than the program:\n{program}");
}

#[test]
fn the_labels_say_what_it_is() {
    let stages = dockerfile::read();
    let labels: Vec<&Step> = stages[1].steps.iter().filter(|step| matches!(step, Step::Label(_))).collect();
    let [Step::Label(labels)] = &labels[..] else { panic!("one LABEL, found {labels:?}") };
    for (name, value) in [("title", "endpointslice-controller"), ("licenses", env!("CARGO_PKG_LICENSE"))] {
        assert!(labels.contains(&format!("org.opencontainers.image.{name}=\"{value}\"")), "{name}: {labels}");
    }
    assert!(labels.contains(&format!("description=\"{}\"", env!("CARGO_PKG_DESCRIPTION"))), "{labels}");
    for name in ["version", "revision", "source"] {
        assert!(labels.contains(&format!("org.opencontainers.image.{name}=")), "{name}: {labels}");
    }
}

/// Names and versions of Cargo.lock.
fn locked() -> Vec<(String, String)> {
    let text = fs::read_to_string(root().join("Cargo.lock")).expect("read Cargo.lock");
    let quoted = |line: &str, key: &str| {
        Some(line.strip_prefix(key)?.strip_prefix(" = \"")?.strip_suffix('"')?.to_string())
    };
    let names = text.lines().filter_map(|line| quoted(line, "name"));
    let versions =
        text.lines().filter(|line| *line != "version = 4").filter_map(|line| quoted(line, "version"));
    names.zip(versions).collect()
}

fn text_of(package: &Value, key: &str) -> String {
    package[key].as_str().expect("a text").to_string()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
