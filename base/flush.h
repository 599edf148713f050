// Bringing what was written to its storage, where the file system can.
#ifndef ORRERY_BASE_FLUSH_H
#define ORRERY_BASE_FLUSH_H

#ifdef __cplusplus
extern "C" {
#endif

// Does this errno of a chmod, a setting of times or a flush mean that the file system does not do
// that at all (network shares, FUSE), rather than that something went wrong?
int orr_is_refusal(int number);
// fsync, through signals. 0: done; 1: the file system refuses, which loses nothing that it can
// keep; -1: failed, errno says how. Any thread.
int orr_fsync(int fd);
// Was the last flush one? ext4 whose journal has died answers that there is nothing to flush, until
// a change fails: so a file of the caller's own, open as `fd`, is given the mode that it has. 0, or
// -1 with errno when what was written is lost. Fine on any file system. Any thread.
int orr_flush_held(int fd);
// The errors that closing `fd` would give: some file systems (NFS, FUSE) send what they hold of a
// file at a close, and only there say that they could not. Without a free descriptor the last close
// has to tell. -1 with errno.
int orr_ask_close(int fd);
// Remembers a result of orr_fsync for orr_flush_refused, and returns it; and of an orr_fsync.
int orr_flush_note(int result);
int orr_flush(int fd);
// Has any orr_flush of this process been refused, and nobody been told (orr_flush_told)?
int orr_flush_refused(void);
void orr_flush_told(void);

#ifdef __cplusplus
}
#endif
#endif
