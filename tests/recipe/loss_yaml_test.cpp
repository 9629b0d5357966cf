#include "espalier/recipe/loss_yaml.h"

#include <gtest/gtest.h>

#include "tests/kit/expect_error.h"

namespace espalier::recipe {
namespace {

std::vector<LossConfig> losses_of(const std::string& text) {
  return parse_losses(parse_yaml(text, "l.yaml"));
}

TEST(LossYaml, ReadsEveryTerm) {
  const std::vector<LossConfig> losses = losses_of(R"(
- cross_entropy: {smoothing: 0.1, weight: 0.5}
- distil_kl: {temperature: 3}
- distil_soft_label: {student_temperature: 2, teacher_temperature: 5, weight: 4}
- distil_l2: {student: a, teacher: b}
- distil_fsp: {student: [a, b]}
)");
  ASSERT_EQ(losses.size(), 5U);
  EXPECT_EQ(losses[0].kind, LossConfig::Kind::CrossEntropy);
  EXPECT_DOUBLE_EQ(losses[0].smoothing, 0.1);
  EXPECT_DOUBLE_EQ(losses[0].weight, 0.5);
  EXPECT_DOUBLE_EQ(losses[1].temperature, 3);
  EXPECT_DOUBLE_EQ(losses[1].weight, 1);
  EXPECT_DOUBLE_EQ(losses[2].temperatures.student, 2);
  EXPECT_DOUBLE_EQ(losses[2].temperatures.teacher, 5);
  EXPECT_EQ(losses[3].kind, LossConfig::Kind::Feature);
  EXPECT_EQ(losses[3].student, std::vector<std::string>{"a"});
  EXPECT_EQ(losses[3].teacher, std::vector<std::string>{"b"});
  EXPECT_EQ(losses[4].teacher, (std::vector<std::string>{"a", "b"})) << "the same names";
  EXPECT_TRUE(needs_teacher(losses));
  EXPECT_FALSE(needs_teacher(losses_of("[{cross_entropy: }]")));
}

TEST(LossYaml, RefusesBadTerms) {
  const auto refused = [](const std::string& text, std::string_view message) {
    kit::expect_user_error([&] { (void)losses_of(text); }, message);
  };
  refused("[]", "bad value of 'loss': l.yaml:1: got a list");
  refused("[{distil_kd: {}}]", "unknown loss 'distil_kd': l.yaml:1 (did you mean 'distil_kl')");
  refused("[{distil_kl: {temperature: 0}}]", "temperature");
  refused("[{distil_l2: {}}]", "'student'");
  refused("[{distil_fsp: {student: [a]}}]",
          "bad value of 'student': l.yaml:1: got 1 names, expected [first, second]");
  refused("[{cross_entropy: {temperature: 1}}]", "unknown key 'temperature'");
}

TEST(LossYaml, ReadsTeachers) {
  const Recipe recipe{.seed = 3};
  EXPECT_FALSE(parse_teacher(parse_yaml("self", "l.yaml"), recipe).has_value());
  const TeacherConfig teacher = parse_teacher(parse_yaml("{zoo: ResNet20}", "l.yaml"), recipe);
  EXPECT_EQ(std::get<ZooModel>(teacher->source).name, "ResNet20");
  kit::expect_user_error([&] { (void)parse_teacher(parse_yaml("selve", "l.yaml"), recipe); },
                         "bad value of 'teacher': l.yaml:1: got 'selve'");
}

}  // namespace
}  // namespace espalier::recipe
