#[test]
#[ignore]
fn show() {
    let seed = std::env::var("TWINS_FIRST").unwrap().parse().unwrap();
    println!("{}", crate::support::history::History::draw(seed, &Default::default()));
}
