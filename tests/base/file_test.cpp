#include "espalier/base/file.h"

#include <csignal>
#include <filesystem>
#include <string>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "tests/kit/expect_error.h"
#include "tests/kit/temporary_folder.h"

namespace espalier::base {
namespace {
namespace fs = std::filesystem;

using kit::expect_user_error;
using kit::TemporaryFolder;

TEST(ReadFile, GivesEveryByte) {
  const TemporaryFolder folder;
  std::string content = "text";
  for (int byte = 0; byte < 256; ++byte) content.push_back(static_cast<char>(byte));
  content += std::string(200'000, 'x');
  EXPECT_EQ(read_file(folder.write("a", content)), content);
  EXPECT_EQ(read_file(folder.write("empty", "")), "");
}

TEST(ReadFile, NamesWhatItCannotRead) {
  const TemporaryFolder folder;
  expect_user_error([&] { (void)read_file(folder.file("none")); },
                    "cannot read '" + folder.file("none") + "': got No such file");
  expect_user_error([&] { (void)read_file(folder.path()); }, "got Is a directory");
}

TEST(ReadFile, RefusesMoreThanTheLimit) {
  const TemporaryFolder folder;
  const std::string path = folder.write("a", "12345");
  EXPECT_EQ(read_file(path, 5), "12345");
  expect_user_error([&] { (void)read_file(path, 4); }, "got 5 bytes, expected at most 4 bytes");
}

TEST(WriteFileAtomic, WritesAndReplacesWithoutTraces) {
  const TemporaryFolder folder;
  write_file_atomic(folder.file("deep/er/a"), "one");
  EXPECT_EQ(folder.read("deep/er/a"), "one");
  write_file_atomic(folder.file("deep/er/a"), "two");
  EXPECT_EQ(folder.read("deep/er/a"), "two");
  EXPECT_EQ(folder.files(), std::vector<std::string>{"deep/er/a"});
}

TEST(WriteFileAtomic, LeavesTheOldFileWhenTheTargetIsNoFile) {
  const TemporaryFolder folder;
  folder.write("a/inside", "old");
  expect_user_error([&] { write_file_atomic(folder.file("a"), "new"); }, "cannot write '");
  expect_user_error([&] { write_file_atomic(folder.file("a/inside/b"), "new"); },
                    "cannot create the folder '");
  EXPECT_EQ(folder.files(), std::vector<std::string>{"a/inside"});
  EXPECT_EQ(folder.read("a/inside"), "old");
}

/// Limits the size of files that this process may write, for the life of the object.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{.rlim_cur = bytes, .rlim_max = before_.rlim_max};
    handler_ = std::signal(SIGXFSZ, SIG_IGN);
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit before_{};
  void (*handler_)(int) = nullptr;
};

TEST(WriteFileAtomic, WritesBehindASymbolicLink) {
  const TemporaryFolder folder;
  folder.write("real", "old");
  fs::create_symlink("real", folder.file("link"));
  write_file_atomic(folder.file("link"), "new");
  EXPECT_EQ(folder.read("real"), "new");
  EXPECT_TRUE(fs::is_symlink(folder.file("link")));
}

TEST(WriteFileAtomic, RefusesToReplaceAPipe) {
  const TemporaryFolder folder;
  const std::string pipe = folder.file("pipe");
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  expect_user_error([&] { write_file_atomic(pipe, "content"); }, "got a device, pipe or socket");
  EXPECT_TRUE(fs::is_fifo(pipe));
}

TEST(WriteFileAtomic, AFailedWriteLeavesNothingNew) {
  const TemporaryFolder folder;
  folder.write("a", "old");
  {
    const FileSizeLimit limit(1000);
    expect_user_error([&] { write_file_atomic(folder.file("a"), std::string(5000, 'x')); },
                      "cannot write '" + folder.file("a") + "': got File too large");
  }
  EXPECT_EQ(folder.files(), std::vector<std::string>{"a"});
  EXPECT_EQ(folder.read("a"), "old");
}

TEST(JoinInside, JoinsWhatStaysInside) {
  const TemporaryFolder folder;
  folder.write("sub/a", "");
  EXPECT_EQ(join_inside(folder.path(), "sub/a", "data"), folder.path() / "sub/a");
  EXPECT_EQ(join_inside(folder.path(), "new/b", "data"), folder.path() / "new/b");
  EXPECT_EQ(join_inside(folder.path(), "sub/../sub/a", "data"), folder.path() / "sub/a");
  EXPECT_EQ(join_inside(folder.path() / "", "sub/a", "data"), folder.path() / "sub/a");
}

TEST(JoinInside, RefusesWhatLeadsOut) {
  const TemporaryFolder folder;
  folder.write("sub/a", "");
  folder.write("subway/b", "");
  fs::create_symlink("/", folder.path() / "sub/out");
  for (const char* path : {"../subway/b", "../../etc/passwd", "/etc/passwd", "", "a/../../x",
                           "out/etc/passwd", ".."}) {
    const std::string text =
        expect_user_error([&] { (void)join_inside(folder.path() / "sub", path, "external data"); },
                          "refused the path of external data");
    EXPECT_NE(text.find("got '" + std::string(path) + "'"), std::string::npos) << text;
  }
}

TEST(AtomicFolder, AppearsWithCommitOnly) {
  const TemporaryFolder folder;
  const fs::path target = folder.path() / "run";
  {
    const AtomicFolder output(target);
    write_file_atomic(output.path() / "a", "1");
    EXPECT_FALSE(fs::exists(target));
  }
  EXPECT_TRUE(folder.files().empty());
  EXPECT_TRUE(fs::is_empty(folder.path()));
}

TEST(AtomicFolder, CommitReplacesItsFilesAndKeepsOthers) {
  const TemporaryFolder folder;
  folder.write("run/model.onnx", "old");
  folder.write("run/log.txt", "kept");
  folder.write("run/checkpoints/old", "gone");
  AtomicFolder output(folder.path() / "run/");
  write_file_atomic(output.path() / "model.onnx", "new");
  write_file_atomic(output.path() / "checkpoints/new", "1");
  output.commit();
  EXPECT_EQ(folder.files(),
            (std::vector<std::string>{"run/checkpoints/new", "run/log.txt", "run/model.onnx"}));
  EXPECT_EQ(folder.read("run/model.onnx"), "new");
}

TEST(AtomicFolder, NamesAFolderThatCannotBeMade) {
  const TemporaryFolder folder;
  folder.write("file", "");
  expect_user_error([&] { const AtomicFolder output(folder.path() / "file/run"); },
                    "cannot create the folder '");
}

}  // namespace
}  // namespace espalier::base
