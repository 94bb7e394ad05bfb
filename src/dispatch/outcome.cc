// Names and classes of outcomes.
#include "dispatch/outcome.h"

namespace convoy {

std::string_view to_string(Outcome outcome) {
  switch (outcome) {
    case Outcome::passed: return to_string(Verdict::passed);
    case Outcome::wrong_result: return to_string(Verdict::wrong_result);
    case Outcome::crashed: return to_string(Verdict::crashed);
    case Outcome::timed_out: return to_string(Verdict::timed_out);
    case Outcome::failed: return to_string(Verdict::failed);
    case Outcome::refused: return to_string(Verdict::refused);
    case Outcome::unfit: return "unfit";
    case Outcome::quarantined: return "quarantined";
  }
  return "failed";
}

Outcome outcome_of(Verdict verdict) {
  switch (verdict) {
    case Verdict::passed: return Outcome::passed;
    case Verdict::wrong_result: return Outcome::wrong_result;
    case Verdict::crashed: return Outcome::crashed;
    case Verdict::timed_out: return Outcome::timed_out;
    case Verdict::failed: return Outcome::failed;
    case Verdict::refused: return Outcome::refused;
  }
  return Outcome::failed;
}

bool is_failure(Outcome outcome) {
  return outcome == Outcome::wrong_result || outcome == Outcome::crashed || outcome == Outcome::timed_out ||
         outcome == Outcome::failed;
}

}  // namespace convoy
