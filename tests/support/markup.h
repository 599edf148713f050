// Whether text is well-formed XML 1.0 as far as the project's own writers use it: elements nest and
// close, attributes are quoted and unique, references are the five known ones, no control
// characters. HTML passes with its doctype, and with its void elements named.
#ifndef ORRERY_TESTS_SUPPORT_MARKUP_H
#define ORRERY_TESTS_SUPPORT_MARKUP_H

#include <cctype>
#include <cstring>
#include <set>
#include <string>
#include <vector>

class MarkupReader {
  public:
    MarkupReader(const std::string &text, const std::set<std::string> &voids)
        : text_(text), voids_(voids) {}

    // "" when well-formed, else what is wrong and where.
    std::string error() {
        if (text_.rfind("<!doctype html>", 0) == 0) at_ = 15;
        for (; at_ < text_.size() && what_.empty(); at_++) step();
        if (what_.empty() && !open_.empty()) what_ = "never closed: " + open_.back();
        if (what_.empty() && roots_ != 1) what_ = "no root";
        return what_.empty() ? "" : what_ + " before: " + text_.substr(at_, 60);
    }

  private:
    void step() {
        char c = text_[at_];
        if (c == '<') return tag();
        bool css = !open_.empty() && open_.back() == "style";
        if (c == '>' && !css) what_ = "bare >";
        if (open_.empty() && !std::isspace(static_cast<unsigned char>(c))) what_ = "text outside";
        character();
    }

    void character() {
        unsigned char c = static_cast<unsigned char>(text_[at_]);
        if (c < 0x20 && (c == 0 || !std::strchr("\t\n\r", c))) what_ = "control character";
        if (c != '&') return;
        for (const char *known : {"&amp;", "&lt;", "&gt;", "&quot;", "&#39;"})
            if (text_.compare(at_, std::strlen(known), known) == 0) return;
        what_ = "bare ampersand";
    }

    std::string word() {
        size_t start = at_;
        while (at_ < text_.size() && (std::isalnum(static_cast<unsigned char>(text_[at_])) ||
                                      text_[at_] == '-' || text_[at_] == ':'))
            at_++;
        if (at_ == start) what_ = "a name is missing";
        return text_.substr(start, at_ - start);
    }

    bool take(char c) {
        if (at_ >= text_.size() || text_[at_] != c) return false;
        at_++;
        return true;
    }

    void attribute(std::set<std::string> *seen) {
        if (!seen->insert(word()).second) what_ = "attribute twice";
        if (!take('=') || !take('"')) what_ = "attribute without a quoted value";
        for (; what_.empty() && at_ < text_.size() && text_[at_] != '"'; at_++) {
            if (text_[at_] == '<') what_ = "< in an attribute";
            character();
        }
        if (!take('"') && what_.empty()) what_ = "quote never closed";
    }

    // Leaves at_ on the closing '>'.
    void tag() {
        at_++;
        bool closing = take('/');
        std::string name = word();
        std::set<std::string> seen;
        while (what_.empty() && take(' ')) attribute(&seen);
        bool empty = take('/');
        if (at_ >= text_.size() || text_[at_] != '>') what_ = "bad tag";
        if (!what_.empty()) return;
        if (closing) {
            if (open_.empty() || open_.back() != name)
                what_ = "closes what is not open";
            else
                open_.pop_back();
        } else if (!empty && !voids_.count(name)) {
            if (open_.empty() && ++roots_ > 1) what_ = "second root";
            open_.push_back(name);
        }
    }

    const std::string &text_;
    const std::set<std::string> &voids_;
    std::string what_;
    std::vector<std::string> open_;
    size_t at_ = 0, roots_ = 0;
};

inline std::string markup_error(const std::string &text, const std::set<std::string> &voids = {}) {
    return MarkupReader(text, voids).error();
}

#endif
