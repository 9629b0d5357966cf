#include "espalier/process/child.h"

#include <chrono>
#include <set>

#include <gtest/gtest.h>

#include "tests/kit/expect_error.h"

namespace espalier::process {
namespace {

const std::vector<std::string> kEcho{"/bin/sh", "-c",
                                     "while read -r line; do echo \"<$line>\"; done; exit 7"};

TEST(Child, AnswersLineByLine) {
  Children children;
  children.add(kEcho);
  children[0].send("one");
  EXPECT_EQ(children.next().line, "<one>");
  children[0].send("two words");
  EXPECT_EQ(children.next().line, "<two words>");
  children[0].finish();
  const ChildEvent event = children.next();
  EXPECT_TRUE(event.ended);
  EXPECT_EQ(children[0].wait(), 7);
}

TEST(Child, SeveralAnswerAsTheyCome) {
  Children children;
  for (int count = 0; count < 3; ++count) children.add(kEcho);
  for (std::size_t index = 0; index < 3; ++index) children[index].send(std::to_string(index));
  std::set<std::string> lines;
  for (int count = 0; count < 3; ++count) {
    const ChildEvent event = children.next();
    EXPECT_EQ(event.line, "<" + std::to_string(event.child) + ">");
    lines.insert(event.line);
  }
  EXPECT_EQ(lines.size(), 3U);
}

TEST(Child, GivesEveryWholeLineBeforeTheEnd) {
  Children children;
  children.add({"/bin/sh", "-c", "printf 'a\\nb\\ntorn'"});
  EXPECT_EQ(children.next().line, "a");
  EXPECT_EQ(children.next().line, "b");
  EXPECT_TRUE(children.next().ended);
  EXPECT_EQ(children[0].wait(), 0);
  kit::expect_internal_error([&] { (void)children.next(); }, "all children have ended");
}

TEST(Child, TellsTheSignalThatEndedIt) {
  Children children;
  children.add({"/bin/sh", "-c", "kill -9 $$"});
  EXPECT_TRUE(children.next().ended);
  EXPECT_EQ(children[0].wait(), 137);
}

TEST(Child, IsKilledWhenNobodyWantsItAnyMore) {
  const auto start = std::chrono::steady_clock::now();
  { const Child child({"/bin/sh", "-c", "exec sleep 60"}); }
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(30));
}

TEST(Child, SaysWhatCannotBeStartedOrReached) {
  kit::expect_user_error([] { const Child child({"/none/such"}); },
                         "cannot start the program '/none/such': got No such file");
  Children children;
  children.add({"/bin/true"});
  EXPECT_TRUE(children.next().ended);
  EXPECT_EQ(children[0].wait(), 0);
  kit::expect_user_error([&] { children[0].send("x"); }, "cannot reach a worker process");
}

}  // namespace
}  // namespace espalier::process
