//! The hub source against a loopback server.

use crate::loopback::{Heard, Place, REVISION, Reply, Server, entry, hub_registry, noise, program, sum};
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use zoo_core::Silent;
use zoo_host::Error;
use zoo_host::fetch::{FetchOptions, Fetcher};

#[test]
fn a_file_is_fetched_once() {
    let content = noise(300_000);
    let (server, place) = (Server::hub(&content), Place::new());
    let entry = entry(&hub_registry(&content));
    let files = place.fetcher(&server.url).dataset(&entry, &Silent).unwrap();
    assert_eq!(std::fs::read(files.get("test.parquet").unwrap()).unwrap(), content);
    let seen = server.seen();
    assert!(seen.iter().all(|r| r.path == format!("/datasets/own/pictures/resolve/{REVISION}/data/test.parquet")), "{seen:?}");
    assert!(seen.iter().all(|r| !r.headers.contains_key("authorization")));
    assert_eq!(server.downloads().len(), 1);
    // Another run, and another cache over the same hub cache: no request.
    let before = seen.len();
    assert_eq!(place.fetcher(&server.url).dataset(&entry, &Silent).unwrap(), files);
    std::fs::remove_dir_all(place.path("cache")).unwrap();
    let again = Fetcher::new(place.options(&server.url).offline(true)).unwrap().dataset(&entry, &Silent).unwrap();
    assert_eq!(std::fs::read(again.get("test.parquet").unwrap()).unwrap(), content);
    assert_eq!(server.seen().len(), before);
}

#[test]
fn python_reads_the_cache() {
    if zoo_test_support::python().is_none() {
        println!("skipped: no Python (set ZOO_TEST_PYTHON)");
        return;
    }
    // The client's way and ours, which a server without ranges makes necessary, into one cache.
    let content = noise(5_000);
    let ours = noise(7_000);
    let (client_hub, place) = (Server::hub(&content), Place::new());
    let whole = ours.clone();
    let plain_hub =
        Server::new(move |_| Reply::new(200, whole.clone()).with("ETag", format!("\"{}\"", sum(&whole))).with("X-Repo-Commit", REVISION));
    place.fetcher(&client_hub.url).dataset(&entry(&hub_registry(&content)), &Silent).unwrap();
    let other = hub_registry(&ours).replace("own/pictures", "own/others");
    place.fetcher(&plain_hub.url).dataset(&entry(&other), &Silent).unwrap();
    let script = "import sys\nfrom huggingface_hub import scan_cache_dir, try_to_load_from_cache\ni = scan_cache_dir(sys.argv[1])\n\
                  assert not i.warnings, i.warnings\n\
                  for r in sorted(i.repos, key=lambda r: r.repo_id):\n    for v in r.revisions:\n        for f in v.files:\n            \
                  p = try_to_load_from_cache(r.repo_id, 'data/test.parquet', cache_dir=sys.argv[1], revision=v.commit_hash, repo_type='dataset')\n            \
                  assert p == str(f.file_path), p\n            \
                  print(r.repo_type, r.repo_id, v.commit_hash, f.file_name, f.size_on_disk)\n";
    let said = match zoo_test_support::run_python(script, &[place.path("hub")]) {
        Err(e) if e.to_string().contains("No module named 'huggingface_hub'") => {
            println!("skipped: this Python has no huggingface_hub");
            return;
        }
        said => said.unwrap(),
    };
    assert_eq!(said, format!("dataset own/others {REVISION} test.parquet 7000\ndataset own/pictures {REVISION} test.parquet 5000\n"));
}

/// A hub that wants a token and sends content off to storage, as the hub does with large files.
fn gated(content: &[u8], storage: &Server) -> Server {
    let (url, etag) = (storage.url.clone(), sum(content));
    Server::new(move |request| match request.headers.get("authorization").map(String::as_str) {
        Some("Bearer hf_secret") => Reply::new(302, "")
            .with("Location", format!("{url}/signed?key=1"))
            .with("X-Linked-Etag", format!("\"{etag}\""))
            .with("X-Repo-Commit", REVISION),
        _ => Reply::new(401, "Access is restricted"),
    })
}

#[test]
fn the_token_goes_to_the_hub_and_nowhere_else() {
    let content = noise(200_000);
    let storage = Server::hub(&content);
    let (hub, place, heard) = (gated(&content, &storage), Place::new(), Heard::default());
    let entry = entry(&hub_registry(&content));
    let files = place.with_token(&hub.url, "hf_secret").dataset(&entry, &heard).unwrap();
    assert_eq!(std::fs::read(files.get("test.parquet").unwrap()).unwrap(), content);
    assert!(hub.seen().iter().any(|r| r.headers.contains_key("authorization")));
    assert!(!storage.seen().is_empty());
    assert!(storage.seen().iter().all(|r| !r.headers.contains_key("authorization")), "{:?}", storage.seen());
    // Nor does it stand in a message, not even when it is refused.
    let error = Place::new().with_token(&hub.url, "hf_wrong").dataset(&entry, &heard).unwrap_err();
    let said = format!("{error} {error:?} {:?}", heard.lines.lock().unwrap());
    assert!(said.contains("401") && said.contains("HF_TOKEN"), "{said}");
    assert!(!said.contains("hf_secret") && !said.contains("hf_wrong"), "{said}");
}

#[test]
fn a_public_file_is_fetched_without_the_token() {
    let content = noise(1_000);
    let (hub, place) = (Server::hub(&content), Place::new());
    place.with_token(&hub.url, "hf_secret").dataset(&entry(&hub_registry(&content)), &Silent).unwrap();
    assert!(hub.seen().iter().all(|r| !r.headers.contains_key("authorization")));
}

/// One reason why files do not go through the client's own transfer.
#[test]
fn the_client_itself_would_send_the_token_to_the_storage_host() {
    let content = noise(1_000);
    let storage = Server::hub(&content);
    let (hub, place) = (gated(&content, &storage), Place::new());
    let builder = hf_hub::api::sync::ApiBuilder::from_cache(hf_hub::Cache::new(place.path("hub")));
    let api = builder.with_endpoint(hub.url.clone()).with_token(Some("hf_secret".into())).with_progress(false).build().unwrap();
    api.dataset("own/pictures".into()).download("data/test.parquet").unwrap();
    assert!(storage.seen().iter().any(|r| r.headers.get("authorization").is_some_and(|t| t.contains("hf_secret"))));
}

#[test]
fn a_broken_download_goes_on_where_it_broke() {
    for ranges in [true, false] {
        let content = noise(400_000);
        let (served, mut first) = (content.clone(), true);
        let server = Server::new(move |request| {
            let reply = if ranges {
                Reply::file(request, &served)
            } else {
                Reply::new(200, served.clone()).with("ETag", sum(&served)).with("X-Repo-Commit", REVISION)
            };
            if request.is_download() && std::mem::take(&mut first) { reply.cut(150_000) } else { reply }
        });
        let place = Place::new();
        let entry = entry(&hub_registry(&content));
        let error = place.fetcher(&server.url).dataset(&entry, &Silent).unwrap_err().to_string();
        assert!(error.contains("truncated: expected 400000 bytes, found 150000"), "{error}");
        assert!(place.blobs().is_empty());
        let files = place.fetcher(&server.url).dataset(&entry, &Silent).unwrap();
        assert_eq!(std::fs::read(files.get("test.parquet").unwrap()).unwrap(), content);
        assert_eq!(server.downloads().last().unwrap().range(), Some("bytes=150000-"));
    }
}

#[test]
fn a_server_that_stops_sending_is_left_and_the_part_kept() {
    for ranges in [true, false] {
        let content = noise(300_000);
        let (served, mut first) = (content.clone(), true);
        let server = Server::new(move |request| {
            let whole = || Reply::new(200, served.clone()).with("ETag", sum(&served)).with("X-Repo-Commit", REVISION);
            let reply = if ranges { Reply::file(request, &served) } else { whole() };
            if request.is_download() && std::mem::take(&mut first) { reply.stall(100_000, None) } else { reply }
        });
        let place = Place::new();
        let entry = entry(&hub_registry(&content));
        let options = FetchOptions { timeout: std::time::Duration::from_secs(1), ..place.options(&server.url) };
        let error = Fetcher::new(options.clone()).unwrap().dataset(&entry, &Silent).unwrap_err().to_string();
        assert!(error.contains("the server sent nothing for 1 s; run the command again"), "{error}");
        assert!(place.blobs().is_empty());
        Fetcher::new(options).unwrap().dataset(&entry, &Silent).unwrap();
        assert_eq!(server.downloads().last().unwrap().range(), Some("bytes=100000-"));
        assert_eq!(place.blobs(), [sum(&content)]);
    }
}

/// The last run was killed between naming the blob and linking it into the snapshot, or before it had taken a wrong one away.
#[test]
fn a_blob_without_its_link_is_taken_up_if_it_is_right() {
    for (left, downloads) in [(noise(50_000), 0), (vec![7; 50_000], 1)] {
        let content = noise(50_000);
        let (server, place) = (Server::hub(&content), Place::new());
        let hub = place.path("hub/datasets--own--pictures");
        std::fs::create_dir_all(hub.join("blobs")).unwrap();
        std::fs::write(hub.join("blobs").join(sum(&content)), &left).unwrap();
        // A link that leads nowhere, too.
        let snapshot = hub.join("snapshots").join(REVISION).join("data");
        std::fs::create_dir_all(&snapshot).unwrap();
        std::os::unix::fs::symlink("../../../blobs/gone", snapshot.join("test.parquet")).unwrap();
        let files = place.fetcher(&server.url).dataset(&entry(&hub_registry(&content)), &Silent).unwrap();
        assert_eq!(std::fs::read(files.get("test.parquet").unwrap()).unwrap(), content);
        assert_eq!(std::fs::read(snapshot.join("test.parquet")).unwrap(), content);
        assert_eq!(server.downloads().len(), downloads);
    }
}

#[test]
fn a_part_that_is_whole_or_wrong_is_made_anew() {
    let content = noise(50_000);
    let place = Place::new();
    let entry = entry(&hub_registry(&content));
    let blobs = place.path("hub/datasets--own--pictures/blobs");
    for left in [content.clone(), noise(60_000), vec![7; 20_000]] {
        std::fs::create_dir_all(&blobs).unwrap();
        std::fs::write(blobs.join(format!("{}.part", sum(&content))), &left).unwrap();
        let server = Server::hub(&content);
        let files = place.fetcher(&server.url).dataset(&entry, &Silent).unwrap();
        assert_eq!(std::fs::read(files.get("test.parquet").unwrap()).unwrap(), content);
        std::fs::remove_dir_all(place.path("hub")).unwrap();
        std::fs::remove_dir_all(place.path("cache")).unwrap();
    }
}

#[test]
fn a_killed_process_leaves_a_cache_that_the_next_one_completes() {
    let content = noise(3_000_000);
    let (served, mut first) = (content.clone(), true);
    let server = Server::new(move |request| {
        let reply = Reply::file(request, &served);
        if request.is_download() && std::mem::take(&mut first) { reply.stall(2_000_000, None) } else { reply }
    });
    let place = Place::new();
    std::fs::write(place.path("registry.toml"), hub_registry(&content)).unwrap();
    let command = || {
        let mut command = Command::new(program());
        command.arg("--progress").arg(place.path("registry.toml")).arg("pictures").stdout(Stdio::piped()).stderr(Stdio::piped());
        command.env("ZOO_CACHE", place.path("cache")).env("HF_HUB_CACHE", place.path("hub")).env("HF_ENDPOINT", &server.url);
        command.env_remove("ZOO_OFFLINE").env_remove("HF_HUB_OFFLINE").env_remove("HF_TOKEN");
        command
    };
    let mut child = command().spawn().unwrap();
    // The child tells of bytes as it gets them; whatever came before the last of them is written.
    let arrived = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok).any(|line| {
        line.strip_prefix("progress ").and_then(|l| l.split('/').next()?.parse::<u64>().ok()).is_some_and(|done| done >= 1_500_000)
    });
    assert!(arrived);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(place.blobs().is_empty());
    let output = command().output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let line = String::from_utf8(output.stdout).unwrap();
    assert_eq!(std::fs::read(line.trim().split('\t').nth(1).unwrap()).unwrap(), content);
    let range = server.downloads().last().unwrap().range().unwrap().to_owned();
    let start: u64 = range.strip_prefix("bytes=").unwrap().trim_end_matches('-').parse().unwrap();
    assert!((1_000_000..=2_000_000).contains(&start), "{range}");
    assert_eq!(place.blobs(), [sum(&content)]);
}

#[test]
fn concurrent_fetchers_download_once() {
    let content = noise(500_000);
    let (server, place) = (Server::hub(&content), Place::new());
    let entry = entry(&hub_registry(&content));
    let barrier = std::sync::Barrier::new(4);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let fetcher = place.fetcher(&server.url);
                barrier.wait();
                let files = fetcher.dataset(&entry, &Silent).unwrap();
                assert_eq!(std::fs::read(files.get("test.parquet").unwrap()).unwrap(), content);
            });
        }
    });
    assert_eq!(server.downloads().len(), 1);
}

#[test]
fn the_user_can_stop_it() {
    for ranges in [true, false] {
        let content = noise(1_000_000);
        let (served, mut first) = (content.clone(), true);
        let server = Server::new(move |request| {
            let whole = || Reply::new(200, served.clone()).with("ETag", sum(&served)).with("X-Repo-Commit", REVISION);
            let reply = if ranges { Reply::file(request, &served) } else { whole() };
            if request.is_download() && std::mem::take(&mut first) { reply.stall(800_000, None) } else { reply }
        });
        let place = Place::new();
        let entry = entry(&hub_registry(&content));
        let heard = Heard { stop_at: Some(100_000), ..Heard::default() };
        let error = place.fetcher(&server.url).dataset(&entry, &heard).unwrap_err();
        assert!(matches!(error, Error::Core(zoo_core::Error::Cancelled)), "{error}");
        assert!(*heard.most.lock().unwrap() < 1_000_000);
        place.fetcher(&server.url).dataset(&entry, &Silent).unwrap();
    }
}

#[test]
fn offline_names_what_is_missing_and_the_command() {
    let (content, place) = (noise(10), Place::new());
    let options = FetchOptions::from_vars(|name| match name {
        "HF_HUB_OFFLINE" => Some("1".into()),
        "HOME" => Some(place.path("home").into()),
        "HF_ENDPOINT" => Some("http://127.0.0.1:9/".into()),
        _ => None,
    });
    let error = Fetcher::new(options.unwrap()).unwrap().dataset(&entry(&hub_registry(&content)), &Silent).unwrap_err();
    assert!(matches!(error, Error::Offline { .. }));
    let said = error.to_string();
    assert!(said.contains("missing test.parquet; run `cargo xtask fetch pictures` with the network on"), "{said}");
    assert!(!place.path("home").join(".cache/huggingface").exists());
}

#[test]
fn weights_come_from_the_hub_too() {
    let content = noise(40_000);
    let (server, place) = (Server::hub(&content), Place::new());
    let text = format!(
        "schema = 1\n[[model]]\nname = \"m/x\"\nplugin = \"m\"\nweights = {{ hub = \"own/weights\", revision = \"{REVISION}\", file = \
         \"runs/s1.safetensors\", bytes = 40000, sha256 = \"{}\" }}\n",
        sum(&content)
    );
    let registry = zoo_host::registry::Registry::parse(&text, "registry.toml".as_ref()).unwrap();
    let run = registry.models()[0].weights_for(None).unwrap();
    let path = place.fetcher(&server.url).weights(run, &Silent).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), content);
    assert!(server.seen().iter().all(|r| r.path == format!("/own/weights/resolve/{REVISION}/runs/s1.safetensors")));
    let offline = |place: &Place| Fetcher::new(place.options("").offline(true)).unwrap().weights(run, &Silent);
    assert_eq!(offline(&place).unwrap(), path);
    let error = offline(&Place::new()).unwrap_err();
    assert!(matches!(error, Error::Offline { .. }) && error.to_string().contains("missing runs/s1.safetensors"), "{error}");
}
