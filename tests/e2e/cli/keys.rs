//! `tokenhouse key`

use tokenhouse_authority::keys;
use tokenhouse_e2e::both;

use super::Cli;

both! {
    async fn signing_keys_are_listed_replaced_and_ended(house) {
        keys::tend(&house.ctx).await.unwrap();
        let cli = Cli::of(house);
        let listed = cli.run("key list").await.exit(0);
        assert_eq!(listed.out.lines().count(), 4, "{listed:?}");
        assert!(listed.err.contains("A key is replaced by itself after 90 days."), "{listed:?}");
        let old = cli.json("key list").await["items"].as_array().unwrap().iter().find(|key| key["algorithm"] == "RS256").unwrap()["id"].as_str().unwrap().to_owned();
        let made = cli.run("key rotate").await.exit(0);
        assert_eq!((made.cell("Algorithm"), made.cell("State")), ("RS256", "next"));
        cli.run("key rotate").await.exit(5);
        house.wait(1);
        assert_eq!(cli.json("key rotate --now").await["state"], "signing");
        assert_eq!(cli.json("key rotate --algorithm EdDSA").await["algorithm"], "EdDSA");
        cli.run("key rotate --algorithm HS256").await.exit(2);
        let looked = cli.run(&format!("key retire {old} --compromised --dry-run")).await.exit(0);
        assert!(looked.out.contains("verifying") && looked.err.contains("Nothing was changed"), "{looked:?}");
        let ended = cli.run(&format!("key retire {old} --compromised --yes")).await.exit(0);
        assert_eq!(ended.cell("State"), "compromised");
        cli.run("key retire 01900000-0000-7000-8000-000000000000 --yes").await.exit(3);
        assert_eq!(cli.json("key schedule 0").await["rotate_days"], 0);
        assert!(cli.run("key list").await.exit(0).err.contains("No key is replaced by itself."));
        cli.run("key schedule 9999").await.exit(2);
    }
}
