// Every command: its help, what it needs, and where it goes.
#include "cli/cli.h"

#define EXIT(name) (1u << ORR_##name)
#define KEYRING_EXITS (EXIT(KEY) | EXIT(IO) | EXIT(UNSUPPORTED) | EXIT(NOT_ORRERY))
#define JOB_EXITS (EXIT(SOME_FAILED) | EXIT(KEY) | EXIT(EXISTS) | EXIT(IO) | EXIT(UNSUPPORTED))
#define READING_EXITS (JOB_EXITS | EXIT(AUTH) | EXIT(NOT_ORRERY))
#define IN_PLACE_EXITS (READING_EXITS & ~EXIT(EXISTS)) // no output that could be in the way
#define ANY SIZE_MAX

const orr_command orr_commands[ORR_COMMAND_COUNT] = {
    {ORR_COMMAND_KEYRING_NEW, "keyring new",
     "-o KEYRING (--weights W|--decoy IMAGE...) [OPTION]...",
     "make a keyring: a master key and the decoys",
     "Makes a keyring with one active master key and the channel sums of the decoy\n"
     "images: images that a generator makes now, from latent vectors of the system's\n"
     "random numbers, or images given. The images are not kept. Losing the keyring, or\n"
     "its passphrase, loses everything encrypted with it: keep a copy away from the\n"
     "archive.",
     "orrery keyring new -o hospital.keyring --weights generator.safetensors", ORR_NEED_OUTPUT, 0,
     ANY, "images", EXIT(KEY) | EXIT(EXISTS) | EXIT(IO) | EXIT(UNSUPPORTED), 1,
     orr_cmd_keyring_new},
    {ORR_COMMAND_KEYRING_ADD, "keyring add", "-k KEYRING [OPTION]...",
     "add a master key, for rotation",
     "Adds a new master key in the state decrypt-only and prints its ID. To rotate:\n"
     "make it active with keyring set-state, then rewrap the archive.",
     "orrery keyring add -k hospital.keyring --label 2027", ORR_NEED_KEYRING, 0, 0, NULL,
     KEYRING_EXITS, 1, orr_cmd_keyring_add},
    {ORR_COMMAND_KEYRING_LIST, "keyring list", "-k KEYRING [OPTION]...",
     "show the master keys and their states",
     "Shows the ID, state, time of making and label of each master key, and the\n"
     "number of decoys. No key is printed.",
     "orrery keyring list -k hospital.keyring", ORR_NEED_KEYRING, 0, 0, NULL, KEYRING_EXITS, 1,
     orr_cmd_keyring_list},
    {ORR_COMMAND_KEYRING_SET_STATE, "keyring set-state", "-k KEYRING [OPTION]... KEY STATE",
     "make a key active, retire it, or destroy it",
     "KEY is a key's label or ID, or 4 or more of its first digits. STATE is one of\n"
     "  active        wraps new files; the key that was active becomes decrypt-only\n"
     "  decrypt-only  old files still open\n"
     "  destroyed     gone for ever, with every file wrapped only under it",
     "orrery keyring set-state -k hospital.keyring 3f8a active", ORR_NEED_KEYRING, 2, 2,
     "KEY and STATE", KEYRING_EXITS, 1, orr_cmd_keyring_set_state},
    {ORR_COMMAND_KEYRING_PASSWD, "keyring passwd", "-k KEYRING [OPTION]...",
     "change or remove the passphrase",
     "Seals the keyring under a new passphrase. Copies made earlier keep the old one.",
     "orrery keyring passwd -k hospital.keyring", ORR_NEED_KEYRING, 0, 0, NULL, KEYRING_EXITS, 1,
     orr_cmd_keyring_passwd},
    {ORR_COMMAND_ENCRYPT, "encrypt", "-k KEYRING [OPTION]... IN... -o OUT",
     "encrypt files and directories",
     "Encrypts files, and directories with all that lies below them, to OUT: scan.svs\n"
     "becomes scan.svs.orr.tif, a valid TIFF that shows noise. Sources are never\n"
     "changed; files that are finished already are left alone.",
     "orrery encrypt -k hospital.keyring scans/ -o sealed/",
     ORR_NEED_KEYRING | ORR_NEED_OUTPUT | ORR_NEED_INPUT, 1, ANY, "files or directories",
     JOB_EXITS | EXIT(NOT_ORRERY) | EXIT(SELF_TEST), 1, orr_cmd_job},
    {ORR_COMMAND_DECRYPT, "decrypt", "-k KEYRING [OPTION]... IN... -o OUT",
     "restore the original files",
     "Restores files under their original names, times and modes below OUT. A file\n"
     "gets its name, or with -o - goes to standard output, once all of it is\n"
     "authenticated.",
     "orrery decrypt -k hospital.keyring sealed/ -o restored/",
     ORR_NEED_KEYRING | ORR_NEED_OUTPUT | ORR_NEED_INPUT, 1, ANY, "files or directories",
     READING_EXITS | EXIT(SELF_TEST), 1, orr_cmd_job},
    {ORR_COMMAND_VERIFY, "verify", "-k KEYRING [OPTION]... IN...",
     "authenticate encrypted files without writing anything",
     "Decrypts in memory, authenticates every byte and checks the digest of the\n"
     "original; writes no plaintext. Of the paper profile, pixels are compared with\n"
     "their digest but not authenticated.",
     "orrery verify -k hospital.keyring --subset 1/7 sealed/", ORR_NEED_KEYRING | ORR_NEED_INPUT, 1,
     ANY, "files or directories", IN_PLACE_EXITS | EXIT(INCOMPLETE) | EXIT(SELF_TEST), 1,
     orr_cmd_job},
    {ORR_COMMAND_REWRAP, "rewrap", "-k KEYRING [OPTION]... IN...",
     "put files under another master key, in place",
     "Replaces the wrapped secret in each file's header; the data stays as it is.\n"
     "Safe against a crash at any moment. This does not revoke copies, backups or\n"
     "snapshots made earlier.",
     "orrery rewrap -k hospital.keyring sealed/", ORR_NEED_KEYRING | ORR_NEED_INPUT, 1, ANY,
     "files or directories", IN_PLACE_EXITS, 1, orr_cmd_job},
    {ORR_COMMAND_REENCRYPT, "reencrypt", "-k KEYRING [OPTION]... IN... -o OUT",
     "encrypt anew with new secrets",
     "Writes each encrypted file anew below OUT, with a new secret for every one; no\n"
     "plaintext is written. The old files stay: remove them once the new ones verify.",
     "orrery reencrypt -k hospital.keyring sealed/ -o sealed-2027/",
     ORR_NEED_KEYRING | ORR_NEED_OUTPUT | ORR_NEED_INPUT, 1, ANY, "files or directories",
     READING_EXITS | EXIT(SELF_TEST), 1, orr_cmd_job},
    {ORR_COMMAND_INSPECT, "inspect", "[OPTION]... FILE...",
     "show the headers of encrypted files; needs no key",
     "Shows what anyone can read from an encrypted file: profile, sizes, geometry,\n"
     "wrap slots. Nothing of it is authenticated.",
     "orrery inspect sealed/scan.svs.orr.tif", ORR_NEED_INPUT, 1, ANY, "encrypted files",
     EXIT(SOME_FAILED) | EXIT(AUTH) | EXIT(IO) | EXIT(UNSUPPORTED) | EXIT(NOT_ORRERY), 1,
     orr_cmd_inspect},
    {ORR_COMMAND_GENERATE, "generate", "--weights FILE -o OUT [OPTION]...",
     "make images with a generator",
     "Makes images with a trained generator, as one picture (OUT ends in .png) or as\n"
     "files in a directory. The same seed and weights give the same images; on another\n"
     "device a byte may differ by 1 for rounding: name the device where that matters.\n"
     "A generator can remember its training images: unless you know those, treat what\n"
     "it makes as patient data.",
     "orrery generate --weights generator.safetensors -n 64 -o grid.png", ORR_NEED_OUTPUT, 0, 0,
     NULL, EXIT(EXISTS) | EXIT(IO) | EXIT(UNSUPPORTED), 1, orr_cmd_generate},
    {ORR_COMMAND_KEYSTREAM, "keystream", "[OPTION]...",
     "raw key bytes on standard output, for test batteries",
     "Writes the key bytes of the archive profile with the published map constant: for\n"
     "tile 0, 1, 2 ... the 49,152 bytes of K4, then those of K8, in the order of the\n"
     "tile's bytes. The initial states of tile n are SHA-512(seed || n as 8 bytes,\n"
     "most significant first).",
     "orrery keystream --bytes 1G | RNG_test stdin32", 0, 0, 0, NULL, EXIT(IO), 1,
     orr_cmd_keystream},
    {ORR_COMMAND_DEVICES, "devices", "[OPTION]...", "list the devices and test them",
     "Lists the devices that can run the cipher, with the known-answer test of each.",
     "orrery devices", 0, 0, 0, NULL, EXIT(SELF_TEST), 0, orr_cmd_devices},
    {ORR_COMMAND_ANALYZE, "analyze", "[OPTION]... [IMAGE...] -o REPORTDIR",
     "measure and attack the cipher; write a report",
     "Measures the cipher of both profiles on the images (without any: on drawn\n"
     "phantoms), attacks it, and writes REPORTDIR/report.html and report.json: our\n"
     "values beside the published ones, the ideal and the critical values. Images\n"
     "are PNG, JPEG or TIFF. A full run takes some minutes. Sections for --only:\n"
     "images, statistics, differential, keys, robustness, timing, adversarial,\n"
     "attacks, files, nist, chaos.\n"
     "--bits FILE (- for standard input) asks instead whether a file looks random:\n"
     "the tests of NIST SP 800-22 and a verdict, on its bytes or, where it is text of\n"
     "the digits 0 and 1 alone, on a bit for each. It takes a million bits or more.\n"
     "Passing is no evidence of security; what fails is a finding, not an error.",
     "orrery analyze scan.tif -o report/", ORR_NEED_OUTPUT, 0, ANY, "images",
     EXIT(EXISTS) | EXIT(IO) | EXIT(UNSUPPORTED), 1, orr_cmd_analyze},
    {ORR_COMMAND_BENCH, "bench", "[OPTION]... [SUITE]", "measure this machine",
     "Times the program beside its peers, in rounds, and says what binds. Bytes are\n"
     "compared first: nothing that differs gets a time. SUITE is one of\n"
     "  cipher    the tile cipher: SIMD levels, threads, devices, against AES\n"
     "  pipeline  whole files through memory: stages, what binds, cost against size\n"
     "  gan       the DCGAN: training and generation, on the CPU and on a CUDA device\n"
     "  all       all of them [the default]\n"
     "Files of up to 1 GiB lie in memory when 8 GiB of it are free, else smaller ones.\n"
     "Nothing else should run meanwhile: the report says when something did.",
     "orrery bench --quick --html report.html", 0, 0, 1, "one suite",
     EXIT(EXISTS) | EXIT(IO) | EXIT(UNSUPPORTED) | EXIT(SELF_TEST), 1, orr_cmd_bench},
    {ORR_COMMAND_TRAIN, "train", "--data DIR... -o RUNDIR [OPTION]...",
     "train a generator of decoy images on your own images",
     "Trains the DCGAN on all PNG, JPEG and TIFF images in the folders and those below\n"
     "them: the centre square of each, resized. RUNDIR gets the weights, grids of\n"
     "images, curves and a report.html; it is never overwritten, and --resume goes on\n"
     "with the run in it. All of it can show patients: treat it like the images\n"
     "(docs/TRAINING.md).",
     "orrery train --data skin/ -o runs/skin --epochs 100", ORR_NEED_OUTPUT, 0, ANY, "folders",
     EXIT(EXISTS) | EXIT(IO) | EXIT(UNSUPPORTED), 1, orr_cmd_train},
};
