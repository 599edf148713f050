typedef int orr_nothing;
